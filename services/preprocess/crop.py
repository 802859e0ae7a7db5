"""Borders of one colour around a clip: letterbox bars, pillars, frames drawn around a picture.

pictures uint8 [height, width, 4] of one clip -> `find_content` -> one `Rect` for all of them.

A bar must have one colour in all pictures, but for compression noise, and must end in an edge along most of
its length. A caption inside a bar belongs to the bar. In doubt nothing is cropped: a dark scene that fades
into black has no such edge, and neither has a drawing on a plain ground.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.preprocess.container import Rect

Pixels = NDArray[np.uint8]

NOISE = 20  # how far a pixel of a bar may be from the bar's colour, in each channel, 0..255
CONTRAST = 40  # how far a pixel behind the bar's edge must be from it, in at least one channel
PLAIN_SHARE = 0.98  # of a row's pixels must have the bar's colour for the row to be plain
EDGE_SHARE = 0.5  # at most this share of the pixels behind an edge may lack that contrast
EDGE_DEPTH = 0.1  # of the side's length: how far behind an edge to look
MAX_BAR = 0.4  # of the side's length, for one bar
MIN_CONTENT = 0.25  # of the side's length must be left between two bars


def find_content(pictures: Sequence[Pixels]) -> Rect:
    """Return what is inside the borders, in pixels of the pictures; everything where there are none.

    Args:
        pictures: at least one, all uint8 [height, width, 4] of one size; the fourth channel is not read.
    """
    height, width = pictures[0].shape[:2]
    if not any(_may_have_bar(side) for side in _sides(pictures[0], pictures[0])):
        return Rect(0, 0, width, height)
    low = high = pictures[0]
    for picture in pictures[1:]:
        low, high = np.minimum(low, picture), np.maximum(high, picture)
    top, bottom = _between(*_rows(low, high))
    left, right = _between(*_columns(low[top:bottom], high[top:bottom]))
    if left or right < width:  # pillars may have hidden the plain rows
        upper, lower = _between(*_rows(low[top:bottom, left:right], high[top:bottom, left:right]))
        top, bottom = top + upper, top + lower
    return Rect(left, top, right, bottom)


# One side of a clip seen as its top: the darkest and the brightest value of each pixel over time.
_Side = tuple[Pixels, Pixels]


def _rows(low: Pixels, high: Pixels) -> tuple[_Side, _Side]:
    return (low, high), (low[::-1], high[::-1])


def _columns(low: Pixels, high: Pixels) -> tuple[_Side, _Side]:
    return _rows(low.transpose(1, 0, 2), high.transpose(1, 0, 2))


def _sides(low: Pixels, high: Pixels) -> tuple[_Side, ...]:
    return _rows(low, high) + _columns(low, high)


def _between(first: _Side, last: _Side) -> tuple[int, int]:
    """Return where the content starts and stops between two opposite sides."""
    length = len(first[0])
    start, stop = _bar(first), length - _bar(last)
    return (start, stop) if stop - start >= max(MIN_CONTENT * length, 1) else (0, length)


def _may_have_bar(side: _Side) -> bool:
    low, high = side
    return bool(_shares_near(low[:1], high[:1], NOISE)[0] >= PLAIN_SHARE)


def _bar(side: _Side) -> int:
    """Return how many rows the bar at the top has; 0 where there is none, or no telling where it ends."""
    if not _may_have_bar(side):
        return 0
    low, high = side
    length = len(low)
    limit = int(MAX_BAR * length)
    depth = max(int(EDGE_DEPTH * length), 2)
    low, high = low[: limit + depth + 2], high[: limit + depth + 2]
    plain = _shares_near(low, high, NOISE) >= PLAIN_SHARE
    if plain.all():
        return 0
    faint = _shares_near(low, high, CONTRAST)
    row = 0
    while True:
        row += int(np.argmin(plain[row:]))  # the first that is not plain
        if plain[row] or row > limit:
            return 0
        # The row at the edge itself may be a blend of both sides.
        if faint[row + 1 : row + 1 + depth].mean() <= EDGE_SHARE:
            return row
        row += int(np.argmax(plain[row:]))  # behind what may be a caption
        if not plain[row]:
            return 0


def _shares_near(low: Pixels, high: Pixels, distance: int) -> NDArray[np.float64]:
    """For each row, the share of its pixels that always stay this near to the colour of the first row."""
    middle = (low[0, :, :3].astype(np.int16) + high[0, :, :3]) // 2
    colour = np.median(middle, axis=0)
    brightest = np.clip(colour + distance, 0, 255).astype(np.uint8)
    darkest = np.clip(colour - distance, 0, 255).astype(np.uint8)
    near = (high[:, :, :3] <= brightest) & (low[:, :, :3] >= darkest)
    return np.asarray(near.all(axis=2).mean(axis=1), dtype=np.float64)
