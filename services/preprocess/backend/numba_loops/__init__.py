"""The backend of loops compiled by Numba, with the pixels of the portable one; docs/clip.md has its speed.

The loops run without Python's lock and do not check bounds: `services.preprocess.formats.gif` and the plan
have checked their arguments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_SIZE
from services.preprocess.backend import Canvas, Colour, Counts, Picture, Pictures, Span, shrink_factors
from services.preprocess.backend.numba_loops.borders import count_near, middle_colour
from services.preprocess.backend.numba_loops.draw import blend_png, blend_webp, on_black, paint
from services.preprocess.backend.numba_loops.lzw import LETTERS, decompress
from services.preprocess.backend.numba_loops.resample import lanes, reduce, resample, weights
from services.preprocess.backend.numba_loops.vectors import SLACK
from services.preprocess.container import Blend, BrokenDataError, Rect
from services.preprocess.formats.gif import GifFrame, palette_pixels


class Compiled:
    """The `Backend` of compiled loops."""

    name = "compiled"
    gains_by_threads = False  # waking another thread takes as long as the work

    def decompress(self, gif: bytes, frame: GifFrame) -> NDArray[np.uint8]:
        """Decompress into a new array."""
        width, height = frame.rect.size
        count = width * height
        pixels = np.empty(LETTERS + count + SLACK, np.uint8)
        data = np.frombuffer(gif, np.uint8)
        if decompress(data, frame.start, frame.stop, frame.code_size, pixels, count) != count:
            raise BrokenDataError
        return pixels[LETTERS : LETTERS + count].reshape(height, width)

    def paint(self, canvas: Canvas, place: Rect, indices: NDArray[np.uint8], frame: GifFrame) -> None:
        """Draw pixel by pixel."""
        transparent = -1 if frame.opaque or frame.transparent is None else frame.transparent
        paint(canvas, *place, indices, palette_pixels(frame.palette), transparent)

    def blend(self, canvas: Canvas, place: Rect, pixels: Canvas, rule: Blend) -> None:
        """Blend pixel by pixel."""
        (blend_png if rule is Blend.PNG else blend_webp)(canvas, *place, pixels)

    def on_black(self, canvas: Canvas) -> Canvas:
        """Weigh each pixel by its alpha, which lays the canvas on black."""
        black: Canvas = on_black(canvas)
        return black

    def shrink(self, canvas: Canvas) -> Picture:
        """Shrink a canvas by averaging boxes of pixels."""
        height, width = canvas.shape
        across, down = shrink_factors(canvas)
        small = canvas if across == down == 1 else reduce(canvas, 0, 0, width, height, across, down)
        return small.view(np.uint8).reshape(*small.shape, 4)

    def middle_colour(self, pictures: Pictures, part: Rect) -> Colour:
        """Find the median colour of a part by counting how often each value occurs."""
        colour: Colour = middle_colour(pictures, *part)
        return colour

    def count_near(self, pictures: Pictures, part: Rect, span: Span, *, columns: bool) -> Counts:
        """Count the bytes near a colour, row by row."""
        counts: Counts = count_near(pictures, *part, *span, columns)
        return counts

    def resize(self, picture: Picture, content: Rect, out: NDArray[np.uint8]) -> None:
        """Average boxes, then interpolate."""
        pixels = picture.view(np.uint32)[:, :, 0]
        width, height = content.size
        across, down = max(width // CLIP_SIZE, 1), max(height // CLIP_SIZE, 1)
        if across > 1 or down > 1:
            pixels = reduce(pixels, *content, across, down)
            content = Rect(0, 0, *reversed(pixels.shape))
        horizontal = lanes(content.size[0], width / across)
        vertical = weights(content.size[1], height / down)
        resample(pixels, *content, *horizontal, *vertical, out.reshape(CLIP_SIZE, -1))
