"""Reads the blocks of a GIF into a `Container` of `GifFrame`.

The format: https://www.w3.org/Graphics/GIF/spec-gif89a.txt. Where it leaves room, this module does as
Chromium.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.errors import CorruptGif, GifTooLarge
from services.preprocess.container import (
    PIXEL,
    Budget,
    Container,
    Decoded,
    Disposal,
    Frame,
    Rect,
    check_canvas,
    check_limit,
)

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

HEADER_BYTES = 13  # signature and version, then the logical screen descriptor
PALETTE_ENTRIES = 256  # at most
PALETTE_ENTRY_BYTES = 3  # red, green, blue

EXTENSION, IMAGE = 0x21, 0x2C  # the first byte of a block
GRAPHIC_CONTROL = 0xF9  # label of the extension with delay and disposal of the next image
CONTROL_BYTES = 4  # of its only data sub-block
MAX_CODE_SIZE = 8  # bits: a pixel is a palette index, 0..255
APPLICATION = 0xFF  # label of the extension that names a program
LOOPS = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")  # its first sub-block if it says how often to repeat

# Even empty blocks take time, so their number is limited. Encoders write two or three extensions a frame and
# sub-blocks of 254 or 255 bytes, of which 25 MB contain a hundred thousand.
MAX_EXTENSIONS = 100_000
MAX_SUB_BLOCKS = 2_000_000
# Code sizes of 0 and 1 are rare and not allowed by the specification. The portable backend is slow on them.
NARROW_CODE_SIZE = 1
MAX_NARROW_BYTES = 250_000  # of such data in one GIF
# The first row and the distance of rows in each of the four passes of an interlaced image.
_PASSES = ((0, 8), (4, 8), (2, 4), (1, 2))


@dataclass(frozen=True)
class GifFrame(Frame):
    """One image of a GIF, as its blocks describe it.

    Attributes:
        transparent: palette index that draws nothing; None if all indices draw.
        interlaced: whether its rows are stored in four passes.
        palette: RGB bytes of its colours, at most 256 of them; empty if the GIF has none.
        code_size: bits of an uncompressed pixel, the start of the LZW data.
        start: offset of its first data sub-block in the GIF.
        stop: offset behind the empty sub-block that ends its data.
    """

    transparent: int | None
    interlaced: bool
    palette: bytes
    code_size: int
    start: int
    stop: int

    @property
    def opaque(self) -> bool:
        """Whether it certainly draws every pixel of its rectangle."""
        return self.transparent is None or self.transparent >= 1 << self.code_size

    def decode(self, data: bytes, backend: Backend) -> NDArray[np.uint8]:
        """Decompress its palette indices, uint8 [height, width]."""
        if not self.rect.area:
            width, height = self.rect.size
            return np.empty((height, width), np.uint8)
        rows = backend.decompress(data, self)
        if not self.interlaced:
            return rows
        picture = np.empty_like(rows)
        first = 0
        for start, step in _PASSES:
            places = picture[start::step]
            places[...] = rows[first : first + len(places)]
            first += len(places)
        return picture

    def paint(self, canvas: Canvas, place: Rect, pixels: Decoded, backend: Backend) -> None:
        """Draw the colours of its palette indices."""
        backend.paint(canvas, place, pixels, self)


@functools.lru_cache(maxsize=16)  # most frames have the palette of their GIF
def palette_pixels(palette: bytes) -> NDArray[np.uint32]:
    """Return the palette as 256 read-only canvas pixels; colours that it does not define are opaque black."""
    colours = np.zeros((PALETTE_ENTRIES, 4), np.uint8)
    colours[:, 3] = 255
    defined = np.frombuffer(palette, np.uint8).reshape(-1, PALETTE_ENTRY_BYTES)
    colours[: len(defined), :3] = defined
    return colours.view(PIXEL)[:, 0]


class _Control(NamedTuple):
    """A graphic control extension, which applies to the next image only."""

    delay_ms: int = 0
    disposal: Disposal = Disposal.KEEP
    transparent: int | None = None


class _BadBlockError(Exception):
    """A block that Chromium refuses. It ends the animation."""


# Browsers treat 4 like 3, as some encoders mean it, and 0 and the undefined 5 to 7 like 1.
_DISPOSALS = {2: Disposal.CLEAR, 3: Disposal.RESTORE, 4: Disposal.RESTORE}


def scan(gif: bytes, budget: Budget) -> Container:
    """Read the blocks of a GIF up to its trailer, its end, or the first block that is cut off or unknown.

    As in Chromium, a first frame that reaches outside the canvas enlarges it, and later ones do not.

    Raises:
        CorruptGif: the canvas is empty, or no frame is complete.
        GifTooLarge: the canvas, one frame, or the number of frames or blocks is over the limit.
    """
    if len(gif) < HEADER_BYTES:
        raise CorruptGif("it ends inside its header")
    width = gif[6] | gif[7] << 8
    height = gif[8] | gif[9] << 8
    check_limit("canvas", budget.max_canvas_pixels, width * height, "pixels")
    palette, position = _read_palette(gif, HEADER_BYTES, gif[10])
    frames = _Reader(gif, palette, budget).read_frames(position)
    if frames:
        width, height = max(width, frames[0].rect.right), max(height, frames[0].rect.bottom)
    container = Container("gif", gif, width, height, tuple(frames))
    check_canvas(width, height, budget, "GIF")
    return container


def _read_palette(gif: bytes, position: int, flags: int) -> tuple[bytes, int]:
    """Return the palette if the flags announce one, else b"", and the offset behind it."""
    if not flags & 0x80:
        return b"", position
    stop = position + (PALETTE_ENTRY_BYTES << ((flags & 7) + 1))
    return gif[position:stop], stop


class _Reader:
    """Follows the blocks of one GIF and counts them.

    Args:
        gif: the whole file.
        palette: of frames that have none.
        budget: its limits.
    """

    def __init__(self, gif: bytes, palette: bytes, budget: Budget) -> None:
        self._gif, self._palette, self._budget = gif, palette, budget
        self._extensions = 0
        self._sub_blocks = 0

    def read_frames(self, position: int) -> list[GifFrame]:
        """Read the blocks from `position` on, up to the first that is cut off or invalid."""
        gif, budget = self._gif, self._budget
        frames: list[GifFrame] = []
        control = _Control()
        narrow_bytes = 0
        try:
            while True:
                kind = gif[position]
                if kind == EXTENSION:
                    self._count_extension()
                    if gif[position + 1] == GRAPHIC_CONTROL:
                        control, position = _read_control(gif, position + 2)
                    else:
                        position = self._skip_extension(position + 1)
                elif kind == IMAGE:
                    if len(frames) == budget.max_frames:
                        raise self._too_many(len(frames), position)
                    frame = self._read_image(position + 1, control)
                    check_limit("frame", budget.max_canvas_pixels, frame.rect.area, "pixels")
                    if frame.code_size <= NARROW_CODE_SIZE:
                        narrow_bytes += frame.stop - frame.start
                        check_limit("data of code size 0 or 1", MAX_NARROW_BYTES, narrow_bytes, "bytes")
                    frames.append(frame)
                    position = frame.stop
                    control = _Control()
                else:  # the trailer, or not a block
                    return frames
        except (IndexError, _BadBlockError):
            return frames

    def _read_image(self, position: int, control: _Control) -> GifFrame:
        gif = self._gif
        left = gif[position] | gif[position + 1] << 8
        top = gif[position + 2] | gif[position + 3] << 8
        right = left + (gif[position + 4] | gif[position + 5] << 8)
        bottom = top + (gif[position + 6] | gif[position + 7] << 8)
        flags = gif[position + 8]
        local, position = _read_palette(gif, position + 9, flags)
        code_size = gif[position]
        if code_size > MAX_CODE_SIZE:
            raise _BadBlockError
        return GifFrame(
            Rect(left, top, right, bottom),
            control.delay_ms,
            control.disposal,
            control.transparent,
            bool(flags & 0x40),
            local or self._palette,
            code_size,
            position + 1,
            self._skip_sub_blocks(position + 1),
        )

    def _skip_extension(self, position: int) -> int:
        """Return the offset behind the extension whose label is at `position`."""
        gif = self._gif
        if (
            gif[position] == APPLICATION
            and gif[position + 1 : position + 13] in LOOPS
            and not gif[position + 13]
        ):
            # Chromium expects the number of repetitions here, but accepts an empty sub-block.
            position += 13
        return self._skip_sub_blocks(position + 1)

    def _skip_sub_blocks(self, position: int) -> int:
        """Return the offset behind the empty sub-block that ends a chain; IndexError if there is none."""
        gif = self._gif
        for count in range(MAX_SUB_BLOCKS - self._sub_blocks):
            length = gif[position]
            position += length + 1
            if not length:
                self._sub_blocks += count
                return position
        raise GifTooLarge(
            "structure", allowed=MAX_SUB_BLOCKS, found=MAX_SUB_BLOCKS + 1, unit="sub-blocks", at_least=True
        )

    def _count_extension(self) -> None:
        self._extensions += 1
        check_limit("structure", MAX_EXTENSIONS, self._extensions, "extensions", at_least=True)

    def _too_many(self, found: int, position: int) -> GifTooLarge:
        """Count the remaining frames for the error, as far as the limits on blocks allow."""
        at_least = False
        try:
            while True:
                kind = self._gif[position]
                if kind == EXTENSION:
                    self._count_extension()
                    position = self._skip_extension(position + 1)
                elif kind == IMAGE:
                    _, position = _read_palette(self._gif, position + 10, self._gif[position + 9])
                    position = self._skip_sub_blocks(position + 1)
                    found += 1
                else:
                    break
        except GifTooLarge:
            at_least = True
        except IndexError:
            pass
        allowed = self._budget.max_frames
        return GifTooLarge(
            "animation", allowed=allowed, found=max(found, allowed + 1), unit="frames", at_least=at_least
        )


def _read_control(gif: bytes, position: int) -> tuple[_Control, int]:
    """Read a graphic control extension with exactly one sub-block; return it and the offset behind it."""
    if gif[position] != CONTROL_BYTES or gif[position + 1 + CONTROL_BYTES]:
        raise _BadBlockError
    flags = gif[position + 1]
    control = _Control(
        delay_ms=10 * (gif[position + 2] | gif[position + 3] << 8),
        disposal=_DISPOSALS.get(flags >> 2 & 7, Disposal.KEEP),
        transparent=gif[position + 4] if flags & 1 else None,
    )
    return control, position + 2 + CONTROL_BYTES
