"""Pixels by loops that Numba compiles: the same as the portable ones'; docs/clip.md tells how much faster.

Everything here runs without Python's lock and none of it checks bounds: what it is given was checked by
`services.preprocess.formats.gif` and by the plan.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
from services.preprocess.backend.numba_loops.alpha import blend_png, blend_webp, on_black
from services.preprocess.backend.numba_loops.borders import count_near, middle_colour
from services.preprocess.backend.numba_loops.lzw import LETTERS, decompress
from services.preprocess.backend.numba_loops.memory import SLACK
from services.preprocess.backend.numba_loops.paint import paint
from services.preprocess.backend.numba_loops.reduce import reduce
from services.preprocess.backend.numba_loops.resample import lanes, resample, weights
from services.preprocess.backend.palette import palette_pixels
from services.preprocess.container import Blend, BrokenDataError, Rect
from services.preprocess.formats.gif import GifFrame


class Compiled:
    """`Backend` of compiled loops."""

    name = "compiled"
    gains_by_threads = False  # one is done in the time that waking another thread takes

    def decompress(self, gif: bytes, frame: GifFrame) -> NDArray[np.uint8]:
        """Decompress a frame into memory of its own."""
        width, height = frame.rect.size
        count = width * height
        pixels = np.empty(LETTERS + count + SLACK, np.uint8)
        data = np.frombuffer(gif, np.uint8)
        if decompress(data, frame.start, frame.stop, frame.code_size, pixels, count) != count:
            raise BrokenDataError
        indices = pixels[LETTERS : LETTERS + count].reshape(height, width)
        return in_order(indices) if frame.interlaced else indices

    def paint(self, canvas: Canvas, place: Rect, indices: NDArray[np.uint8], frame: GifFrame) -> None:
        """Draw pixel by pixel."""
        transparent = -1 if frame.opaque or frame.transparent is None else frame.transparent
        paint(canvas, *place, indices, palette_pixels(frame), transparent)

    def blend(self, canvas: Canvas, place: Rect, pixels: Canvas, rule: Blend) -> None:
        """Blend pixel by pixel."""
        (blend_png if rule is Blend.PNG else blend_webp)(canvas, *place, pixels)

    def on_black(self, canvas: Canvas) -> Canvas:
        """Weigh pixel by pixel."""
        black: Canvas = on_black(canvas)
        return black

    def shrink(self, canvas: Canvas) -> Picture:
        """Average boxes of pixels."""
        height, width = canvas.shape
        across, down = shrink_factors(canvas)
        small = canvas if across == down == 1 else reduce(canvas, 0, 0, width, height, across, down)
        return small.view(np.uint8).reshape(*small.shape, 4)

    def middle_colour(self, pictures: Pictures, part: Rect) -> Colour:
        """Count them."""
        colour: Colour = middle_colour(pictures, *part)
        return colour

    def count_near(self, pictures: Pictures, part: Rect, span: Span, *, columns: bool) -> Counts:
        """Compare bytes, a row at a time."""
        counts: Counts = count_near(pictures, *part, *span, columns)
        return counts

    def resize(self, picture: Picture, content: Rect, out: NDArray[np.uint8]) -> None:
        """Average boxes, then weigh neighbours."""
        pixels = picture.view(np.uint32)[:, :, 0]
        width, height = content.size
        across, down = max(width // CLIP_SIZE, 1), max(height // CLIP_SIZE, 1)
        if across > 1 or down > 1:
            pixels = reduce(pixels, *content, across, down)
            content = Rect(0, 0, *reversed(pixels.shape))
        horizontal = lanes(content.size[0], width / across)
        vertical = weights(content.size[1], height / down)
        resample(pixels, *content, *horizontal, *vertical, out.reshape(CLIP_SIZE, -1))
