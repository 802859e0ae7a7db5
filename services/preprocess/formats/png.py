"""Reads the chunks of a PNG or an APNG into a `Container` of `PngFrame`.

The format: https://www.w3.org/TR/png-3. Where it leaves room, this module does as Chromium. If the default
image of an APNG is not part of the animation, only the animation is shown.
"""

from __future__ import annotations

import dataclasses
import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.errors import CorruptGif
from services.preprocess.container import (
    PIXEL,
    Blend,
    BrokenDataError,
    Budget,
    Container,
    Disposal,
    Rect,
    check_canvas,
    check_limit,
)
from services.preprocess.formats.picture import PictureFrame, read_orientation, to_pixels

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

SIGNATURE_BYTES = 8
MAX_CHUNKS = 200_000  # encoders write some KB in each, so 25 MB have ten thousand

ENTRIES = 256  # of a table of colours
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types
# By colour type and bits of a sample: Pillow's mode, and its name for the packing of the rows.
_MODES = {
    (GREY, 1): ("1", "1"),
    (GREY, 2): ("L", "L;2"),
    (GREY, 4): ("L", "L;4"),
    (GREY, 8): ("L", "L"),
    (GREY, 16): ("I;16", "I;16B"),
    (RGB, 8): ("RGB", "RGB"),
    (RGB, 16): ("RGB", "RGB;16B"),
    (PALETTE, 1): ("P", "P;1"),
    (PALETTE, 2): ("P", "P;2"),
    (PALETTE, 4): ("P", "P;4"),
    (PALETTE, 8): ("P", "P"),
    (GREY_ALPHA, 8): ("LA", "LA"),
    (GREY_ALPHA, 16): ("RGBA", "LA;16B"),
    (RGBA, 8): ("RGBA", "RGBA"),
    (RGBA, 16): ("RGBA", "RGBA;16B"),
}
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
# Adam7: first column, first row, and the distances of columns and of rows in each of the seven passes.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PART_BYTES = 1 << 14  # decompressed at once, to at most a thousand times as many bytes
_DISPOSALS = (Disposal.KEEP, Disposal.CLEAR, Disposal.RESTORE)


class _Header(NamedTuple):
    """What all frames of a file have in common.

    Attributes:
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.
        depth: bits of a sample.
        colour: colour type.
        interlaced: whether pixels are stored in seven passes.
        palette: RGB bytes.
        transparency: the contents of tRNS.
    """

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    palette: bytes = b""
    transparency: bytes = b""

    @property
    def alpha(self) -> bool:
        return self.colour in (GREY_ALPHA, RGBA) or bool(self.transparency)


@dataclass(frozen=True)
class PngFrame(PictureFrame):
    """One frame of a PNG.

    Attributes:
        header: of the file.
        pieces: start and stop of each part of its compressed data.
    """

    header: _Header
    pieces: tuple[tuple[int, int], ...]

    def decode(self, data: bytes, backend: Backend) -> Canvas:
        """Let Pillow decompress it, and convert its samples to colours."""
        header = self.header
        mode, rows = _MODES[header.colour, header.depth]
        compressed = b"".join(data[start:stop] for start, stop in self.pieces)
        if not _is_whole(compressed, _packed_bytes(header, *self.rect.size)):
            raise BrokenDataError
        try:
            image = Image.frombytes(mode, self.rect.size, compressed, "zip", (rows, int(header.interlaced)))
        except (ValueError, OSError):  # "not enough image data", "cannot decode image data", ...
            raise BrokenDataError from None
        return _colour(image, header)


def _packed_bytes(header: _Header, width: int, height: int) -> int:
    """Return the decompressed size of a frame: each row has a filter byte and its samples."""
    bits = header.depth * _CHANNELS[header.colour]
    passes = _PASSES if header.interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-max(width - left, 0) // across), -(-max(height - top, 0) // down)
        total += rows * (1 + -(-columns * bits // 8)) if columns else 0
    return total


def _is_whole(compressed: bytes, expected: int) -> bool:
    """Whether data decompresses to this many bytes. Pillow would leave missing rows black silently."""
    inflate, found = zlib.decompressobj(), 0
    data = memoryview(compressed)
    try:
        for start in range(0, len(data), _PART_BYTES):
            found += len(inflate.decompress(data[start : start + _PART_BYTES]))
            if found >= expected:
                return True
    except zlib.error:
        pass
    return False


def _colour(image: Image.Image, header: _Header) -> Canvas:
    if header.colour == PALETTE:
        return _look_up(np.asarray(image), _palette(header))
    if header.colour == GREY:
        samples = np.asarray(image.convert("L") if image.mode == "1" else image)
        highest = (1 << header.depth) - 1
        greys = np.arange(ENTRIES, dtype=np.uint32)
        key = -1
        if header.transparency:
            key = (int.from_bytes(header.transparency[:2], "big") & highest) * 255 // highest
        table = greys * np.uint32(0x010101)
        table[greys != key] |= 0xFF000000
        if header.depth < 16:
            return _look_up(samples, table)
        pixels = _look_up(
            (samples >> 8).astype(np.uint8), greys * np.uint32(0x010101) | np.uint32(0xFF000000)
        )
        if header.transparency:
            pixels[samples == int.from_bytes(header.transparency[:2], "big")] &= 0xFFFFFF
        return pixels
    pixels = to_pixels(image)
    if header.colour == RGB and len(header.transparency) >= 6:
        shift = 8 if header.depth == 16 else 0
        red, green, blue = (number >> shift for number in struct.unpack(">HHH", header.transparency[:6]))
        pixels[pixels == np.uint32(0xFF000000 | blue << 16 | green << 8 | red)] &= 0xFFFFFF
    return pixels


def _palette(header: _Header) -> NDArray[np.uint32]:
    """Return the colours by index. As in Chromium, indices after the last have the last colour."""
    defined = np.frombuffer(header.palette[: 3 * ENTRIES], np.uint8).reshape(-1, 3)
    colours = np.full((ENTRIES, 4), 255, np.uint8)
    colours[: len(defined), :3] = defined
    alphas = np.frombuffer(header.transparency[: len(defined)], np.uint8)
    colours[: len(alphas), 3] = alphas
    colours[len(defined) :] = colours[len(defined) - 1]
    return colours.view(PIXEL)[:, 0]


def _look_up(samples: NDArray[np.uint8], table: NDArray[np.uint32]) -> Canvas:
    pixels: Canvas = np.take(table.astype(PIXEL), samples, mode="wrap")
    return pixels


class _Control(NamedTuple):
    """The contents of fcTL."""

    rect: Rect
    delay_ms: int
    disposal: Disposal
    blend: Blend | None


class _BrokenError(Exception):
    """A chunk that Chromium refuses. It ends the file."""


def scan(png: bytes, budget: Budget) -> Container:
    """Read the chunks up to IEND, the end, or the first that is cut off or invalid.

    Raises:
        CorruptGif: it has no valid header, or no frame is complete.
        GifTooLarge: the canvas, or the number of frames or chunks, is over the limit.
    """
    chunks = _chunks(png)
    header = _read_header(png, next(chunks, (b"", 0, 0)))
    check_canvas(header.width, header.height, budget, "PNG")
    reader = _Reader(png, header, budget)
    try:
        for chunk in chunks:
            reader.take(*chunk)
    except _BrokenError:
        pass
    return reader.finish()


def _chunks(png: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and stop of the contents of each complete chunk, up to IEND.

    The chunks of the picture must have the right checksum.
    """
    position = SIGNATURE_BYTES
    for count in itertools.count(1):
        check_limit("structure", MAX_CHUNKS, count, "chunks", at_least=True)
        start = position + 8
        stop = start + int.from_bytes(png[position : position + 4], "big")
        kind = png[position + 4 : start]
        if stop + 4 > len(png):
            return
        if kind[:1].isupper() or kind in (b"fcTL", b"fdAT", b"acTL"):
            checksum = zlib.crc32(memoryview(png)[start - 4 : stop])
            if png[stop : stop + 4] != checksum.to_bytes(4, "big"):
                return
        yield kind, start, stop
        if kind == b"IEND":
            return
        position = stop + 4


def _read_header(png: bytes, chunk: tuple[bytes, int, int]) -> _Header:
    kind, start, stop = chunk
    if kind != b"IHDR" or stop - start != 13:
        raise CorruptGif("it has no header", kind="PNG")
    width, height, depth, colour, compression, filters, interlace = struct.unpack(">IIBBBBB", png[start:stop])
    if (colour, depth) not in _MODES or compression or filters or interlace > 1:
        raise CorruptGif("its header is invalid", kind="PNG")
    return _Header(width, height, depth, colour, bool(interlace))


class _Reader:
    """Combines the chunks of one file."""

    def __init__(self, png: bytes, header: _Header, budget: Budget) -> None:
        self._png, self._header, self._budget = png, header, budget
        self._announced: int | None = None  # frames, by acTL
        self._orientation = 1
        self._control: _Control | None = None
        self._pieces: list[tuple[int, int]] = []
        self._frames: list[PngFrame] = []
        self._still: list[tuple[int, int]] = []  # the data of the default image
        self._sequence = 0
        self._ended = False

    def take(self, kind: bytes, start: int, stop: int) -> None:
        """Process one chunk.

        Raises:
            _BrokenError: it is invalid.
        """
        if kind == b"IDAT":
            self._still.append((start, stop))
            if self._control is not None:
                self._pieces.append((start, stop))
        elif kind == b"IEND":
            self._end_frame()
            self._ended = True
        elif kind in (b"fcTL", b"fdAT"):
            if self._announced is not None:
                self._take_frame(kind, start, stop)
        elif not self._still:
            self._take_setting(kind, self._png[start:stop])

    def _take_frame(self, kind: bytes, start: int, stop: int) -> None:
        """Process a chunk of the animation; these are numbered."""
        number = self._png[start : min(start + 4, stop)]
        if int.from_bytes(number, "big") != self._sequence or len(number) < 4:
            raise _BrokenError
        self._sequence += 1
        if kind == b"fcTL":
            self._end_frame()
            self._control = self._read_control(self._png[start:stop])
        elif self._control is None:
            raise _BrokenError
        else:
            self._pieces.append((start + 4, stop))

    def _take_setting(self, kind: bytes, data: bytes) -> None:
        """Process a chunk before the pixels."""
        if kind == b"acTL" and len(data) == 8:
            self._announced = int.from_bytes(data[:4], "big") or None
        elif kind == b"PLTE":
            self._header = self._header._replace(palette=data[: len(data) // 3 * 3])
        elif kind == b"tRNS":
            self._header = self._header._replace(transparency=data)
        elif kind == b"eXIf":
            self._orientation = read_orientation(data)

    def _read_control(self, data: bytes) -> _Control:
        if len(data) != 26:
            raise _BrokenError
        if len(self._frames) == self._budget.max_frames:
            found = max(self._announced or 0, self._budget.max_frames + 1)
            check_limit("animation", self._budget.max_frames, found, "frames")
        width, height, left, top, time, parts, disposal, blend = struct.unpack(">IIIIHHBB", data[4:])
        rect = Rect(left, top, left + width, top + height)
        canvas = Rect(0, 0, self._header.width, self._header.height)
        if not rect.area or not canvas.covers(rect) or disposal > 2 or blend > 1:
            raise _BrokenError
        if not self._still and rect != canvas:
            raise _BrokenError
        delay_ms = 1000 * time // (parts or 100)
        return _Control(rect, delay_ms, _DISPOSALS[disposal], Blend.PNG if blend else None)

    def _end_frame(self) -> None:
        if self._control is not None and self._pieces:
            if len(self._frames) < (self._announced or 0):
                self._frames.append(
                    PngFrame(*self._control, self._header.alpha, self._header, tuple(self._pieces))
                )
            self._pieces = []

    def finish(self) -> Container:
        """Return the structure of the file.

        Raises:
            CorruptGif: no frame is complete.
        """
        header = self._header
        if header.colour == PALETTE and not header.palette:
            raise CorruptGif("it has no palette", kind="PNG")
        frames = self._frames
        name = "apng" if frames else "png"
        if len(frames) == self._announced == 1:  # for Chromium this is not an animation
            frames = [dataclasses.replace(frames[0], delay_ms=0)]
        if not frames and self._still and self._ended:
            canvas = Rect(0, 0, header.width, header.height)
            still = PngFrame(canvas, 0, Disposal.KEEP, None, header.alpha, header, tuple(self._still))
            frames = [still]
        return Container(
            name,
            self._png,
            header.width,
            header.height,
            tuple(frames),
            translucent=header.alpha,
            orientation=self._orientation,
        )
