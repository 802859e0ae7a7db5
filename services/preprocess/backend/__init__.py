"""The two backends that process pixels: Pillow with NumPy, and loops compiled by Numba (the extra `fast`).

Both give the same pixels; all decisions are made outside of them. The compiled loops are faster but take a
second to load, so a process that decodes a few GIFs is faster with the portable backend.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.preprocess.container import Blend, Rect
from services.preprocess.formats.gif import GifFrame

Canvas = NDArray[np.uint32]  # [height, width]; in memory, a byte each of red, green, blue and alpha
Picture = NDArray[np.uint8]  # [height, width, 4]; the fourth byte is undefined
Pictures = NDArray[np.uint32]  # [pictures, height, width], pixels of a canvas
Colour = NDArray[np.float64]  # [3]: red, green, blue, 0..255
Span = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # [3] each: a darkest and a brightest colour
Counts = NDArray[np.int64]  # [rows or columns]

# A picture has at least twice the resolution of the clip; ten of them take at most 32 MB.
PICTURE_SIZE = 448  # pixels
MANY = 100  # GIFs that make up for the second that compiled loops take to load

_log = logging.getLogger(__name__)


class Backend(Protocol):
    """The work on pixels. Any number of threads may share one; no method holds Python's lock for long."""

    @property
    def name(self) -> str:
        """For logs and benchmarks."""

    @property
    def gains_by_threads(self) -> bool:
        """Whether the work on a frame takes longer than handing it to another thread."""

    def decompress(self, gif: bytes, frame: GifFrame) -> NDArray[np.uint8]:
        """Decompress a non-empty frame of a GIF: palette indices, uint8 [height, width].

        The rows are in the order of the data, also if the frame is interlaced.

        Raises:
            BrokenDataError: the data is invalid or ends early.
        """

    def paint(self, canvas: Canvas, place: Rect, indices: NDArray[np.uint8], frame: GifFrame) -> None:
        """Draw palette indices on a place within the canvas; those beyond it are dropped."""

    def blend(self, canvas: Canvas, place: Rect, pixels: Canvas, rule: Blend) -> None:
        """Blend pixels with a place within the canvas; those beyond it are dropped."""

    def on_black(self, canvas: Canvas) -> Canvas:
        """Return a copy whose colours are multiplied by alpha and rounded to the nearest."""

    def shrink(self, canvas: Canvas) -> Picture:
        """Shrink each side of a canvas by a whole number to less than twice `PICTURE_SIZE`.

        The result for a canvas that is small enough shares its memory: drawing on it changes the picture.
        """

    def middle_colour(self, pictures: Pictures, part: Rect) -> Colour:
        """Return the median colour of a part; a pixel counts with the middle of its extremes over time."""

    def count_near(self, pictures: Pictures, part: Rect, span: Span, *, columns: bool) -> Counts:
        """Count the pixels that are between two colours in all pictures, for each row or column of a part.

        Args:
            pictures: C-contiguous.
            part: not empty, within the pictures.
            span: smallest and largest value of each channel, inclusive.
            columns: whether to count for each column, from left to right, not for each row.
        """

    def resize(self, picture: Picture, content: Rect, out: NDArray[np.uint8]) -> None:
        """Scale a part of a picture into `out`, uint8 [224, 224, 3], C-contiguous."""


def shrink_factors(canvas: Canvas) -> tuple[int, int]:
    """Return the divisors of the width and height of a canvas for `Backend.shrink`, at least 1."""
    height, width = canvas.shape
    return max(width // PICTURE_SIZE, 1), max(height // PICTURE_SIZE, 1)


@functools.cache
def portable() -> Backend:
    """Return the backend of Pillow and NumPy, which are always installed."""
    from services.preprocess.backend.pillow_numpy import Portable  # noqa: PLC0415 - loaded when used

    return Portable()


def compiled() -> Backend:
    """Return the backend of compiled loops. Numba compiles them once on a machine, in about 20 seconds.

    Raises:
        ImportError: Numba is not installed.
    """
    from services.preprocess.backend.numba_loops import Compiled  # noqa: PLC0415 - an optional package

    return Compiled()


@functools.cache
def fastest() -> Backend:
    """Return the compiled backend if Numba is installed, else the portable one."""
    return compiled() if importlib.util.find_spec("numba") else portable()


class FastestSoFar:
    """Returns the portable backend until the compiled loops are loaded, and then those.

    So a server can answer at once, while a thread compiles. The pixels of both are the same.

    Args:
        make: returns the final backend.
    """

    def __init__(self, make: Callable[[], Backend] = fastest) -> None:
        self._backend = portable()
        threading.Thread(target=self._switch, args=(make,), name="compile", daemon=True).start()

    def __call__(self) -> Backend:
        """Return the backend for one GIF."""
        return self._backend

    def _switch(self, make: Callable[[], Backend]) -> None:
        try:
            self._backend = make()
        except Exception:  # whatever is wrong with Numba, the portable backend still works
            _log.exception("the compiled loops cannot be loaded; continuing with the portable ones")
