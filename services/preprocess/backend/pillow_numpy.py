"""Pixels by Pillow and NumPy: Pillow's LZW decoder, its resize, and a canvas that follows browsers' rules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.clip import CLIP_SIZE
from services.preprocess.backend import (
    Canvas,
    Colour,
    Counts,
    Picture,
    Pictures,
    Span,
    shrink_factors,
)
from services.preprocess.backend.interlace import in_order
from services.preprocess.backend.narrow import decompress_narrow
from services.preprocess.backend.palette import palette_pixels
from services.preprocess.container import PIXEL, Blend, BrokenDataError, Rect
from services.preprocess.formats.gif import NARROW_CODE_SIZE, GifFrame

_BAND_PIXELS = 65_536  # drawn at once: numpy widens indices to 8 bytes each, 512 KB that stay in the cache


_ALL_FOUR = np.uint32(0x01010101)  # true, true, true, true


class Portable:
    """`Backend` of what is always installed."""

    name = "portable"
    gains_by_threads = True

    def decompress(self, gif: bytes, frame: GifFrame) -> NDArray[np.uint8]:
        """Let Pillow decompress a frame, but for code sizes that it reads otherwise than browsers."""
        if frame.code_size <= NARROW_CODE_SIZE:
            rows = decompress_narrow(gif, frame)
            return in_order(rows) if frame.interlaced else rows
        data = gif[frame.start : frame.stop]
        try:
            image = Image.frombytes(
                "P", frame.rect.size, data, "gif", (frame.code_size, frame.interlaced, -1)
            )
        except ValueError:  # "not enough image data" or "cannot decode image data"
            raise BrokenDataError from None
        return np.asarray(image)

    def paint(self, canvas: Canvas, place: Rect, indices: NDArray[np.uint8], frame: GifFrame) -> None:
        """Look the colours up, a band of rows at a time."""
        width, height = place.size
        part = canvas[place.top : place.bottom, place.left : place.right]
        indices = indices[:height, :width]
        palette = palette_pixels(frame)
        rows = max(_BAND_PIXELS // width, 1)
        for top in range(0, height, rows):
            band = part[top : top + rows]
            some = indices[top : top + rows]
            # A uint8 never wraps at 256; the mode only saves numpy the range check, and a copy of `out`.
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
        """Weigh a band of rows at a time."""
        black = np.empty_like(canvas)
        rows = max(_BAND_PIXELS // canvas.shape[1], 1)
        for top in range(0, len(canvas), rows):
            channels = _channels(canvas[top : top + rows])
            channels[..., :3] = (channels[..., :3] * channels[..., 3:] + 127) // 255
            black[top : top + rows] = _pixels(channels)
        return black

    def shrink(self, canvas: Canvas) -> Picture:
        """Average boxes of pixels, which Pillow calls reducing."""
        height, width = canvas.shape
        factors = shrink_factors(canvas)
        if factors == (1, 1):
            return canvas.view(np.uint8).reshape(height, width, 4)
        image = Image.frombuffer("RGBX", (width, height), canvas, "raw", "RGBX", 0, 1)  # no copy
        return np.asarray(image.reduce(factors))

    def middle_colour(self, pictures: Pictures, part: Rect) -> Colour:
        """Sort them."""
        low, high = (bound.reshape(-1, 4)[:, :3] for bound in _bounds(pictures, part))
        middle = (low.T.astype(np.uint16, order="C") + high.T) // 2
        middle.sort(axis=1)
        count = middle.shape[1]
        colour: Colour = (middle[:, (count - 1) // 2] + middle[:, count // 2]) / 2
        return colour

    def count_near(self, pictures: Pictures, part: Rect, span: Span, *, columns: bool) -> Counts:
        """Compare whole rows of bytes: a last axis of channels would cost numpy ten times as long."""
        low, high = _bounds(pictures, part)
        width = part.size[0]
        bright_enough = low >= _repeated(span[0], 0, width)
        dark_enough = high <= _repeated(span[1], 255, width)
        near = (bright_enough & dark_enough).view(np.uint32) == _ALL_FOUR
        counts: Counts = np.count_nonzero(near, axis=0 if columns else 1)
        return counts

    def resize(self, picture: Picture, content: Rect, out: NDArray[np.uint8]) -> None:
        """Scale by averaging boxes and then by weighing neighbours."""
        # Cut first: a box handed to Pillow's resize lets pixels outside it shine through along its edges.
        inside = picture[content.top : content.bottom, content.left : content.right]
        # BILINEAR after a whole-number box reduction (reducing_gap) is within noise of a plain antialiased
        # resize and was the fastest of Pillow's ways when measured on real GIFs.
        height, width = inside.shape[:2]
        # Unpacked to RGB first: Pillow scales three channels a fifth faster than four.
        image = Image.frombytes("RGB", (width, height), np.ascontiguousarray(inside), "raw", "RGBX")
        scaled = image.resize((CLIP_SIZE, CLIP_SIZE), Image.Resampling.BILINEAR, reducing_gap=1.0)
        out[...] = np.asarray(scaled)


def _bounds(pictures: Pictures, part: Rect) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The darkest and the brightest value over time, uint8 [height, 4 * width] each."""
    some = np.ascontiguousarray(pictures[:, part.top : part.bottom, part.left : part.right]).view(np.uint8)
    return (some[0], some[0]) if len(some) == 1 else (some.min(axis=0), some.max(axis=0))


def _repeated(colour: NDArray[np.uint8], fourth: int, width: int) -> NDArray[np.uint8]:
    """A row of pixels, uint8 [4 * width]."""
    return np.full(width, int.from_bytes((*colour.tolist(), fourth), "little"), PIXEL).view(np.uint8)


def _channels(pixels: Canvas) -> NDArray[np.uint32]:
    """Pixels as [height, width, 4] whole numbers that leave room to multiply."""
    return np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape, 4).astype(np.uint32)


def _pixels(channels: NDArray[np.uint32]) -> Canvas:
    pixels: Canvas = channels.astype(np.uint8).view(PIXEL)[..., 0]
    return pixels


def _blend_png(over: NDArray[np.uint32], under: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Weigh both colours by what is seen of them, in units of 1 / 255 of alpha, and round to the nearest."""
    seen, behind = over[..., 3:] * 255, under[..., 3:] * (255 - over[..., 3:])
    both = seen + behind
    blended: NDArray[np.uint32] = (2 * (over * seen + under * behind) + both) // np.maximum(2 * both, 1)
    blended[..., 3:] = (both + 127) // 255
    return blended


def _blend_webp(over: NDArray[np.uint32], under: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """As BlendPixelNonPremult in libwebp's src/demux/anim_decode.c, but that opaque pixels replace."""
    alpha = over[..., 3:]
    behind = (under[..., 3:] * (256 - alpha)) >> 8
    both = alpha + behind
    blended: NDArray[np.uint32] = ((over * alpha + under * behind) * ((1 << 24) // np.maximum(both, 1))) >> 24
    blended[..., 3:] = both
    np.copyto(blended, under, where=alpha == 0)
    np.copyto(blended, over, where=alpha == 255)
    return blended
