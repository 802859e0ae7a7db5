"""The portable backend: Pillow's LZW decoder and resize, and NumPy for drawing as browsers do.

GIFs with code sizes of 0 and 1 are decompressed here in plain Python, because Pillow reads them differently
from
Chromium: there, codes grow by a bit as soon as the next string would not fit, here after the first code. The
length of such data is limited when a file is read.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.clip import CLIP_SIZE
from services.preprocess.backend import Canvas, Colour, Counts, Picture, Pictures, Span, shrink_factors
from services.preprocess.container import PIXEL, Blend, BrokenDataError, Rect
from services.preprocess.formats.gif import NARROW_CODE_SIZE, GifFrame, palette_pixels

_BAND_PIXELS = 65_536  # drawn at once: numpy converts indices to 8 bytes each, and 512 KB fit into the cache
_ALL_FOUR = np.uint32(0x01010101)  # true for all four bytes of a pixel
_MAX_CODE_BITS = 12
_TABLE = 1 << _MAX_CODE_BITS  # codes


class Portable:
    """The `Backend` of packages that are always installed."""

    name = "portable"
    gains_by_threads = True

    def decompress(self, gif: bytes, frame: GifFrame) -> NDArray[np.uint8]:
        """Let Pillow decompress, except for code sizes that it reads differently from browsers."""
        if frame.code_size <= NARROW_CODE_SIZE:
            return _decompress_narrow(gif, frame)
        data = gif[frame.start : frame.stop]
        try:
            image = Image.frombytes("P", frame.rect.size, data, "gif", (frame.code_size, False, -1))
        except ValueError:  # "not enough image data" or "cannot decode image data"
            raise BrokenDataError from None
        return np.asarray(image)

    def paint(self, canvas: Canvas, place: Rect, indices: NDArray[np.uint8], frame: GifFrame) -> None:
        """Look the colours up, a band of rows at a time."""
        width, height = place.size
        part = canvas[place.top : place.bottom, place.left : place.right]
        indices = indices[:height, :width]
        palette = palette_pixels(frame.palette)
        rows = max(_BAND_PIXELS // width, 1)
        for top in range(0, height, rows):
            band = part[top : top + rows]
            some = indices[top : top + rows]
            # A uint8 never wraps at 256. The mode only avoids a range check and a copy of `out`.
            if frame.opaque:
                np.take(palette, some, out=band, mode="wrap")
            else:
                colours = np.take(palette, some, mode="wrap")
                band[...] = np.where(some != frame.transparent, colours, band)

    def blend(self, canvas: Canvas, place: Rect, pixels: Canvas, rule: Blend) -> None:
        """Blend a band of rows at a time, all channels at once."""
        width, height = place.size
        blend = _blend_png if rule is Blend.PNG else _blend_webp
        part = canvas[place.top : place.bottom, place.left : place.right]
        rows = max(_BAND_PIXELS // width, 1)
        for top in range(0, height, rows):
            band = part[top : top + rows]
            over, under = (_channels(each) for each in (pixels[top : top + len(band), :width], band))
            band[...] = _pixels(blend(over, under))

    def on_black(self, canvas: Canvas) -> Canvas:
        """Multiply a band of rows at a time."""
        black = np.empty_like(canvas)
        rows = max(_BAND_PIXELS // canvas.shape[1], 1)
        for top in range(0, len(canvas), rows):
            channels = _channels(canvas[top : top + rows])
            channels[..., :3] = (channels[..., :3] * channels[..., 3:] + 127) // 255
            black[top : top + rows] = _pixels(channels)
        return black

    def shrink(self, canvas: Canvas) -> Picture:
        """Average boxes of pixels, by Pillow's `reduce`."""
        height, width = canvas.shape
        factors = shrink_factors(canvas)
        if factors == (1, 1):
            return canvas.view(np.uint8).reshape(height, width, 4)
        image = Image.frombuffer("RGBX", (width, height), canvas, "raw", "RGBX", 0, 1)  # no copy
        return np.asarray(image.reduce(factors))

    def middle_colour(self, pictures: Pictures, part: Rect) -> Colour:
        """Find the median colour of a part by sorting the values of each channel."""
        low, high = (bound.reshape(-1, 4)[:, :3] for bound in _bounds(pictures, part))
        middle = (low.T.astype(np.uint16, order="C") + high.T) // 2
        middle.sort(axis=1)
        count = middle.shape[1]
        colour: Colour = (middle[:, (count - 1) // 2] + middle[:, count // 2]) / 2
        return colour

    def count_near(self, pictures: Pictures, part: Rect, span: Span, *, columns: bool) -> Counts:
        """Compare whole rows of bytes; with an axis of channels numpy would take ten times as long."""
        low, high = _bounds(pictures, part)
        width = part.size[0]
        bright_enough = low >= _repeated(span[0], 0, width)
        dark_enough = high <= _repeated(span[1], 255, width)
        near = (bright_enough & dark_enough).view(np.uint32) == _ALL_FOUR
        counts: Counts = np.count_nonzero(near, axis=0 if columns else 1)
        return counts

    def resize(self, picture: Picture, content: Rect, out: NDArray[np.uint8]) -> None:
        """Average boxes, then interpolate."""
        # Cropped first: with the argument `box`, Pillow's resize also uses pixels outside it along its edges.
        inside = picture[content.top : content.bottom, content.left : content.right]
        # BILINEAR after a whole-number box reduction (reducing_gap) gives practically the same as a plain
        # antialiased resize, and was the fastest of Pillow's methods on real GIFs.
        height, width = inside.shape[:2]
        # Converted to RGB first: Pillow scales three channels a fifth faster than four.
        image = Image.frombytes("RGB", (width, height), np.ascontiguousarray(inside), "raw", "RGBX")
        scaled = image.resize((CLIP_SIZE, CLIP_SIZE), Image.Resampling.BILINEAR, reducing_gap=1.0)
        out[...] = np.asarray(scaled)


def _bounds(pictures: Pictures, part: Rect) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the darkest and the brightest values over time, uint8 [height, 4 * width] each."""
    some = np.ascontiguousarray(pictures[:, part.top : part.bottom, part.left : part.right]).view(np.uint8)
    return (some[0], some[0]) if len(some) == 1 else (some.min(axis=0), some.max(axis=0))


def _repeated(colour: NDArray[np.uint8], fourth: int, width: int) -> NDArray[np.uint8]:
    """Return a row of pixels of one colour, uint8 [4 * width]."""
    return np.full(width, int.from_bytes((*colour.tolist(), fourth), "little"), PIXEL).view(np.uint8)


def _channels(pixels: Canvas) -> NDArray[np.uint32]:
    """Return the channels of pixels, uint32 [height, width, 4], which can be multiplied without overflow."""
    return np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape, 4).astype(np.uint32)


def _pixels(channels: NDArray[np.uint32]) -> Canvas:
    pixels: Canvas = channels.astype(np.uint8).view(PIXEL)[..., 0]
    return pixels


def _blend_png(over: NDArray[np.uint32], under: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Weight both colours by their visible share, in units of 1 / 255 of alpha, and round to the nearest."""
    seen, behind = over[..., 3:] * 255, under[..., 3:] * (255 - over[..., 3:])
    both = seen + behind
    blended: NDArray[np.uint32] = (2 * (over * seen + under * behind) + both) // np.maximum(2 * both, 1)
    blended[..., 3:] = (both + 127) // 255
    return blended


def _blend_webp(over: NDArray[np.uint32], under: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """As BlendPixelNonPremult in libwebp's src/demux/anim_decode.c, except that opaque pixels replace."""
    alpha = over[..., 3:]
    behind = (under[..., 3:] * (256 - alpha)) >> 8
    both = alpha + behind
    blended: NDArray[np.uint32] = ((over * alpha + under * behind) * ((1 << 24) // np.maximum(both, 1))) >> 24
    blended[..., 3:] = both
    np.copyto(blended, under, where=alpha == 0)
    np.copyto(blended, over, where=alpha == 255)
    return blended


def _decompress_narrow(gif: bytes, frame: GifFrame) -> NDArray[np.uint8]:
    """Decompress a frame with a code size of 0 or 1."""
    width, height = frame.rect.size
    pixels = bytearray()
    for string in _strings(_join(gif, frame.start, frame.stop), frame.code_size):
        pixels += string
        if len(pixels) >= width * height:
            return np.frombuffer(bytes(pixels[: width * height]), np.uint8).reshape(height, width)
    raise BrokenDataError


def _strings(data: bytes, code_size: int) -> Iterator[bytes]:
    """Yield the palette indices of each code, up to the end code or the end of the data."""
    clear, first_width = 1 << code_size, code_size + 1
    letters = [bytes([letter]) for letter in range(clear)]
    table, width, last = [*letters, b"", b""], first_width, b""
    held, bits = 0, 0  # bits that were read but not used yet, and their number
    following = iter(data)
    while True:
        while bits < width:
            byte = next(following, None)
            if byte is None:
                return
            held |= byte << bits
            bits += 8
        code = held & ((1 << width) - 1)
        held >>= width
        bits -= width
        if code == clear:
            table, width, last = [*letters, b"", b""], first_width, b""
            continue
        if code == clear + 1:
            return
        if code < len(table):
            string = table[code]
        elif code == len(table) and last:  # the string that this code completes itself
            string = last + last[:1]
        else:
            raise BrokenDataError
        if len(table) < _TABLE:
            if last:
                table.append(last + string[:1])
            # The first code counts too, although it completes no string.
            if width < _MAX_CODE_BITS:
                width += len(table) >> width & 1
            last = string
        yield string


def _join(gif: bytes, start: int, stop: int) -> bytes:
    """Concatenate the sub-blocks in gif[start:stop], up to the first incomplete one."""
    parts = []
    while start < stop and start + 1 + gif[start] <= stop:
        parts.append(gif[start + 1 : start + 1 + gif[start]])
        start += 1 + gif[start]
    return b"".join(parts)
