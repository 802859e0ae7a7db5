"""Reads the chunks of a WebP, still or animated, into a `Container` of `WebpFrame`.

The format: https://developers.google.com/speed/webp/docs/riff_container. Where it leaves room, this module
does as Chromium.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import _webp

from services.errors import CorruptGif
from services.preprocess.container import (
    PIXEL,
    Blend,
    BrokenDataError,
    Budget,
    Container,
    Decoded,
    Disposal,
    Rect,
    check_limit,
)
from services.preprocess.formats.picture import PictureFrame

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

HEADER_BYTES = 12  # RIFF, a length, WEBP
MAX_CHUNKS = 100_000
ANIMATED, ALPHA = 0x02, 0x10  # flags of VP8X


class _Bitstream(NamedTuple):
    """The compressed pixels of one picture.

    Attributes:
        width: in pixels, according to the bitstream.
        height: in pixels.
        alpha: whether pixels may be transparent.
        start: offset of its first chunk, which has alpha (ALPH) or the pixels.
        stop: offset behind its last chunk.
    """

    width: int
    height: int
    alpha: bool
    start: int
    stop: int


@dataclass(frozen=True)
class WebpFrame(PictureFrame):
    """One frame of a WebP.

    Attributes:
        start: offset of its first chunk in the file.
        stop: offset behind its last chunk.
        bare: part of the canvas that the frame before it cleared. Pixels are copied there. Elsewhere Chromium
            blends them even with transparent pixels, which rounds them.
        alone: whether nothing of the earlier frames is visible.
    """

    start: int
    stop: int
    bare: Rect
    alone: bool

    def decode(self, data: bytes, backend: Backend) -> Canvas:
        """Let Pillow decode it as a file."""
        chunks = data[self.start : self.stop]
        if chunks.startswith(b"ALPH"):
            width, height = self.rect.size
            sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
            chunks = b"VP8X\x0a\0\0\0" + bytes((ALPHA, 0, 0, 0)) + sizes + chunks
        file = b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks
        # Image.open would need the memory of five such pictures, the decoder alone needs three.
        width, height = self.rect.size
        try:
            decoder = _webp.WebPAnimDecoder(file)
            decoded = decoder.get_next() if decoder.get_info()[0] == (width, height) else None
        except OSError:
            raise BrokenDataError from None
        if decoded is None:
            raise BrokenDataError
        pixels: Canvas = np.frombuffer(decoded[0], PIXEL).reshape(height, width)
        return pixels

    def paint(self, canvas: Canvas, place: Rect, pixels: Decoded, backend: Backend) -> None:
        """Blend its pixels, but copy those on the bare part of the canvas."""
        super().paint(canvas, place, pixels, backend)
        left, top = max(self.bare.left, place.left), max(self.bare.top, place.top)
        right, bottom = min(self.bare.right, place.right), min(self.bare.bottom, place.bottom)
        if left < right and top < bottom and not self.opaque:
            copied = pixels[top - place.top : bottom - place.top, left - place.left : right - place.left]
            canvas[top:bottom, left:right] = copied


def scan(webp: bytes, budget: Budget) -> Container:
    """Read the chunks up to the end, or the first that is cut off or invalid.

    Raises:
        CorruptGif: no frame is complete.
        GifTooLarge: the canvas, or the number of frames or chunks, is over the limit.
    """
    end = 8 + int.from_bytes(webp[4:8], "little")
    if end > len(webp):
        raise CorruptGif("it is cut short", kind="WebP")
    chunks = _Chunks(webp)
    first = next(chunks.between(HEADER_BYTES, end), None)
    if first is not None and first[0] == b"VP8X" and first[2] - first[1] >= 10:
        flags = webp[first[1]]
        width, height = 1 + _three(webp, first[1] + 4), 1 + _three(webp, first[1] + 7)
        check_limit("canvas", budget.max_canvas_pixels, width * height, "pixels")
        if flags & ANIMATED:
            frames = _read_frames(chunks, first[2], end, Rect(0, 0, width, height), budget)
            return _container(webp, width, height, frames)
        still = chunks.read_bitstream(first[2], end)
        if still is not None and (still.width, still.height) != (width, height):
            still = None
    else:
        still = chunks.read_bitstream(HEADER_BYTES, end)
    if still is None:
        return _container(webp, 0, 0, [])
    check_limit("canvas", budget.max_canvas_pixels, still.width * still.height, "pixels")
    rect = Rect(0, 0, still.width, still.height)
    frame = WebpFrame(
        rect, 0, Disposal.KEEP, None, still.alpha, still.start, still.stop, bare=rect, alone=True
    )
    return _container(webp, still.width, still.height, [frame])


def _container(webp: bytes, width: int, height: int, frames: list[WebpFrame]) -> Container:
    translucent = any(frame.alpha for frame in frames)
    return Container("webp", webp, width, height, tuple(frames), translucent=translucent)


def _read_frames(chunks: _Chunks, start: int, end: int, canvas: Rect, budget: Budget) -> list[WebpFrame]:
    """Read the frames of an animation.

    Raises:
        CorruptGif: a frame reaches outside the canvas, or the chunk ANIM is missing.
    """
    frames: list[WebpFrame] = []
    announced = False
    bare = canvas  # what is certainly transparent before the next frame
    for kind, begin, stop in chunks.between(start, end):
        announced = announced or kind == b"ANIM"
        if kind != b"ANMF" or stop - begin < 16:
            continue
        if not announced:
            raise CorruptGif("its animation has no header", kind="WebP")
        bits = chunks.read_bitstream(begin + 16, stop)
        if bits is None:
            continue
        check_limit("animation", budget.max_frames, len(frames) + 1, "frames", at_least=True)
        frame = _read_frame(chunks.webp[begin : begin + 16], bits, bare, canvas)
        if not canvas.covers(frame.rect):
            raise CorruptGif("a frame reaches outside its canvas", kind="WebP")
        frames.append(frame)
        if frame.disposal is Disposal.CLEAR:
            bare = canvas if frame.alone or frame.rect == canvas else frame.rect
        else:
            bare = Rect(0, 0, 0, 0)
    return frames


def _read_frame(header: bytes, bits: _Bitstream, bare: Rect, canvas: Rect) -> WebpFrame:
    """Read the header of a frame, the start of ANMF; its size is that of its pixels."""
    left, top = 2 * _three(header, 0), 2 * _three(header, 3)
    rect = Rect(left, top, left + bits.width, top + bits.height)
    over = not header[15] & 2
    alone = bare == canvas or (rect == canvas and not (over and bits.alpha))
    return WebpFrame(
        rect,
        _three(header, 12),
        Disposal.CLEAR if header[15] & 1 else Disposal.KEEP,
        Blend.WEBP if over and not alone else None,
        bits.alpha,
        bits.start,
        bits.stop,
        bare=bare,
        alone=alone,
    )


class _Chunks:
    """The chunks of one file. At most `MAX_CHUNKS` are read."""

    def __init__(self, webp: bytes) -> None:
        self.webp = webp
        self._count = 0

    def between(self, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield kind, start and stop of the contents of each complete chunk."""
        while start + 8 <= end:
            self._count += 1
            check_limit("structure", MAX_CHUNKS, self._count, "chunks", at_least=True)
            begin = start + 8
            stop = begin + int.from_bytes(self.webp[start + 4 : begin], "little")
            if stop > end:
                return
            yield self.webp[start : start + 4], begin, stop
            start = stop + (stop - begin & 1)

    def read_bitstream(self, start: int, end: int) -> _Bitstream | None:
        """Find the pixels of one picture among chunks; None if there are none, or they are invalid."""
        alpha_at: int | None = None
        for kind, begin, stop in self.between(start, end):
            if kind == b"ALPH":
                alpha_at = begin - 8 if alpha_at is None else alpha_at
            elif kind == b"VP8L":
                found = _read_lossless(self.webp[begin:stop])
                return None if found is None else _Bitstream(*found, begin - 8, stop + (stop - begin & 1))
            elif kind == b"VP8 ":
                size = _read_lossy(self.webp[begin:stop])
                if size is None:
                    return None
                first = begin - 8 if alpha_at is None else alpha_at
                return _Bitstream(*size, alpha_at is not None, first, stop + (stop - begin & 1))
        return None


def _read_lossless(data: bytes) -> tuple[int, int, bool] | None:
    """Read width, height and whether there is alpha from the first bytes of VP8L."""
    if len(data) < 5 or data[0] != 0x2F:
        return None
    bits = int.from_bytes(data[1:5], "little")
    if bits >> 29:  # its version
        return None
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1)


def _read_lossy(data: bytes) -> tuple[int, int] | None:
    """Read width and height from the first bytes of VP8, which must be a key frame."""
    if len(data) < 10 or data[0] & 1 or data[3:6] != b"\x9d\x01\x2a":
        return None
    width = int.from_bytes(data[6:8], "little") & 0x3FFF
    height = int.from_bytes(data[8:10], "little") & 0x3FFF
    return (width, height) if width * height else None


def _three(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 3], "little")
