"""Who moves the pixels: **Pillow and NumPy everywhere, compiled loops where Numba is installed**.

Both give the same pixels; what is drawn when, and where a clip is cut, is decided outside and once. The
compiled ones come with the extra `fast`, and take a second to load: a process that decodes some GIFs and ends
is quicker with the portable ones.
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

# [height, width]: red, green, blue and alpha, a byte each, in the order of memory
Canvas = NDArray[np.uint32]
Picture = NDArray[np.uint8]  # [height, width, 4]; the fourth byte is as it likes
Pictures = NDArray[np.uint32]  # [pictures, height, width], pixels as a canvas has them
Colour = NDArray[np.float64]  # [3]: red, green, blue, 0..255
Span = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # [3] each: a darkest and a brightest colour
Counts = NDArray[np.int64]  # [rows or columns]

# A picture keeps at least twice the resolution of the clip; ten of them take at most 32 MB.
PICTURE_SIZE = 448  # pixels

MANY = 100  # GIFs, with which the second that compiled loops take to load is made up for


_log = logging.getLogger(__name__)


class Backend(Protocol):
    """The work on pixels. Any number of threads may share one; none of it holds Python's lock for long."""

    @property
    def name(self) -> str:
        """For logs and benchmarks."""

    @property
    def gains_by_threads(self) -> bool:
        """Whether the work on a frame takes longer than to hand it to another thread."""

    def decompress(self, gif: bytes, frame: GifFrame) -> NDArray[np.uint8]:
        """Decompress a frame of a GIF that has pixels: palette indices, uint8 [height, width].

        Raises:
            BrokenDataError: the data is short or no LZW.
        """

    def paint(self, canvas: Canvas, place: Rect, indices: NDArray[np.uint8], frame: GifFrame) -> None:
        """Draw a frame's indices on a place within the canvas; those that reach beyond it are dropped."""

    def blend(self, canvas: Canvas, place: Rect, pixels: Canvas, rule: Blend) -> None:
        """Lay pixels over a place within the canvas; those that reach beyond it are dropped."""

    def on_black(self, canvas: Canvas) -> Canvas:
        """Return a copy of a canvas whose colours are weighed by their alpha, rounded to the nearest."""

    def shrink(self, canvas: Canvas) -> Picture:
        """Divide each side of a canvas by a whole number to under twice `PICTURE_SIZE`.

        A canvas that is small enough is seen as it is, not copied: drawing on it changes the picture.
        """

    def middle_colour(self, pictures: Pictures, part: Rect) -> Colour:
        """Return the median colour of a part: of each pixel the middle between its extremes over time."""

    def count_near(self, pictures: Pictures, part: Rect, span: Span, *, columns: bool) -> Counts:
        """For each row, or column, of a part count the pixels that are between two colours in all pictures.

        Args:
            pictures: C-contiguous.
            part: not empty, within the pictures.
            span: of each channel the least and the most that is between them.
            columns: count for each column, from left to right, not for each row.
        """

    def resize(self, picture: Picture, content: Rect, out: NDArray[np.uint8]) -> None:
        """Scale a part of a picture into `out`, uint8 [224, 224, 3], C-contiguous."""


def shrink_factors(canvas: Canvas) -> tuple[int, int]:
    """By what the width and the height of a canvas are divided to make a picture, at least 1."""
    height, width = canvas.shape
    return max(width // PICTURE_SIZE, 1), max(height // PICTURE_SIZE, 1)


@functools.cache
def portable() -> Backend:
    """Pillow and NumPy, which are there anyway."""
    from services.preprocess.backend.pillow_numpy import Portable  # noqa: PLC0415 - each may be left unloaded

    return Portable()


def compiled() -> Backend:
    """Loops that Numba compiles: once for a machine, some twenty seconds; afterwards it keeps them.

    Raises:
        ImportError: Numba is not installed.
    """
    from services.preprocess.backend.numba_loops import Compiled  # noqa: PLC0415 - an optional package

    return Compiled()


@functools.cache
def fastest() -> Backend:
    """The compiled backend where Numba is installed, else the portable one."""
    return compiled() if importlib.util.find_spec("numba") else portable()


class FastestSoFar:
    """Gives the portable backend until the compiled loops are there, and those from then on.

    A server answers at once so, while a thread compiles. The pixels are the same by both.

    Args:
        make: gives the backend that is to be had in the end.
    """

    def __init__(self, make: Callable[[], Backend] = fastest) -> None:
        self._backend = portable()
        threading.Thread(target=self._switch, args=(make,), name="compile", daemon=True).start()

    def __call__(self) -> Backend:
        """Give the backend for one GIF."""
        return self._backend

    def _switch(self, make: Callable[[], Backend]) -> None:
        try:
            self._backend = make()
        except Exception:  # whatever is wrong with Numba, GIFs are decoded as before, only slower
            _log.exception("no compiled loops: the portable ones go on")
