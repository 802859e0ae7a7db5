"""Finds borders of one colour around a clip: letterbox bars, pillars, frames drawn around a picture.

A bar must have one colour in all pictures, except for compression noise, and must end in an edge along most
of its length. A caption inside a bar belongs to the bar. In doubt nothing is cropped: a dark scene that fades
into black has no such edge, and neither has a drawing on a plain ground.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from services.preprocess.backend import Backend, Picture, Pictures
from services.preprocess.container import Rect

NOISE = 20  # largest difference from the bar's colour of a pixel in the bar, in each channel, 0..255
CONTRAST = 40  # smallest difference from it of a pixel behind the bar's edge, in at least one channel
PLAIN_SHARE = 0.98  # of a row's pixels must have the bar's colour for the row to be plain
EDGE_SHARE = 0.5  # of the pixels behind an edge may lack that contrast
EDGE_DEPTH = 0.1  # of the side's length is checked behind an edge
MAX_BAR = 0.4  # of the side's length, for one bar
MIN_CONTENT = 0.25  # of the side's length must be left between two bars

_ROWS = 32  # checked at once


def cut(pictures: Iterable[Picture], count: int, backend: Backend) -> Iterator[tuple[Picture, Rect]]:
    """Yield each picture of a clip with the rectangle inside the borders, which is the same for all.

    If the first picture has no plain edge, the rectangle is the whole picture, and each picture is yielded
    before the next one is requested. Otherwise all pictures are read first, and copies are yielded.

    Args:
        pictures: uint8 [height, width, 4], all of one size, C-contiguous; each may change when the next one
            is requested.
        count: number of pictures, at least 1.
        backend: processes pixels.
    """
    pictures = iter(pictures)
    first = next(pictures)
    height, width = first.shape[:2]
    whole = Rect(0, 0, width, height)
    if not _has_plain_edge(first[np.newaxis].view(np.uint32)[..., 0], whole, backend):
        for picture in itertools.chain([first], pictures):
            yield picture, whole
        return
    seen = np.empty((count, height, width, 4), np.uint8)
    for place, picture in zip(seen, itertools.chain([first], pictures), strict=True):
        place[...] = picture
    content = _find_content(seen.view(np.uint32)[..., 0], whole, backend)
    yield from ((picture, content) for picture in seen)


def _find_content(pictures: Pictures, whole: Rect, backend: Backend) -> Rect:
    """Return the rectangle inside the borders; the whole picture if there are none."""
    top, bottom = _between(pictures, whole, (_Edge.TOP, _Edge.BOTTOM), backend)
    left, right = _between(pictures, Rect(0, top, whole.right, bottom), (_Edge.LEFT, _Edge.RIGHT), backend)
    content = Rect(left, top, right, bottom)
    if left or right < whole.right:  # pillars may have hidden the plain rows
        upper, lower = _between(pictures, content, (_Edge.TOP, _Edge.BOTTOM), backend)
        content = Rect(left, top + upper, right, top + lower)
    return content


class _Edge(enum.Enum):
    TOP = enum.auto()
    BOTTOM = enum.auto()
    LEFT = enum.auto()
    RIGHT = enum.auto()


def _has_plain_edge(pictures: Pictures, whole: Rect, backend: Backend) -> bool:
    """Whether an edge of the first picture is plain; if not, there is no bar."""
    return any(_Side(pictures, whole, edge, backend).find(plain=True, start=0, stop=1) == 0 for edge in _Edge)


def _between(pictures: Pictures, part: Rect, edges: tuple[_Edge, _Edge], backend: Backend) -> tuple[int, int]:
    """Return start and stop of the content between two opposite edges of a part."""
    first, last = (_Side(pictures, part, edge, backend) for edge in edges)
    start, stop = _bar(first), first.length - _bar(last)
    return (start, stop) if stop - start >= max(MIN_CONTENT * first.length, 1) else (0, first.length)


def _bar(side: _Side) -> int:
    """Return the number of rows of the bar at an edge; 0 if there is none, or if its end is unclear."""
    limit = int(MAX_BAR * side.length)
    depth = max(int(EDGE_DEPTH * side.length), 2)
    row = side.find(plain=True, start=0, stop=1)
    while row is not None:
        row = side.find(plain=False, start=row, stop=limit + 1)
        if row is None:
            return 0
        # The row at the edge may be a blend of both sides.
        if side.shares_near(row + 1, row + 1 + depth, CONTRAST).mean() <= EDGE_SHARE:
            return row
        row = side.find(plain=True, start=row, stop=limit + 1)  # behind what may be a caption
    return 0


class _Side:
    """A part of all pictures, seen from one edge: its rows, or columns, are counted from there.

    Attributes:
        length: number of rows.
    """

    def __init__(self, pictures: Pictures, part: Rect, edge: _Edge, backend: Backend) -> None:
        self._pictures, self._part, self._edge, self._backend = pictures, part, edge, backend
        self._columns = edge in (_Edge.LEFT, _Edge.RIGHT)
        self.length, self._width = part.size if self._columns else part.size[::-1]
        self._colour = backend.middle_colour(pictures, self._strip(0, 1))

    def find(self, *, plain: bool, start: int, stop: int) -> int | None:
        """Return the first row of start..stop that is plain, or that is not; None if there is none."""
        for first in range(start, stop, _ROWS):
            found = (self.shares_near(first, min(first + _ROWS, stop), NOISE) >= PLAIN_SHARE) == plain
            if found.any():
                return first + int(np.argmax(found))
        return None

    def shares_near(self, start: int, stop: int, distance: int) -> NDArray[np.float64]:
        """Return for each row the share of pixels that are always this near to the colour of the edge."""
        darkest = np.maximum(self._colour - distance, 0).astype(np.uint8)
        brightest = np.minimum(self._colour + distance, 255).astype(np.uint8)
        near = self._backend.count_near(
            self._pictures, self._strip(start, stop), (darkest, brightest), columns=self._columns
        )
        outwards = self._edge in (_Edge.BOTTOM, _Edge.RIGHT)
        shares: NDArray[np.float64] = (near[::-1] if outwards else near) / self._width
        return shares

    def _strip(self, start: int, stop: int) -> Rect:
        left, top, right, bottom = self._part
        stop = min(stop, self.length)
        if self._edge is _Edge.TOP:
            return Rect(left, top + start, right, top + stop)
        if self._edge is _Edge.BOTTOM:
            return Rect(left, bottom - stop, right, bottom - start)
        if self._edge is _Edge.LEFT:
            return Rect(left + start, top, left + stop, bottom)
        return Rect(right - stop, top, right - start, bottom)
