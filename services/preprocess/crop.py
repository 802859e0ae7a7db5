"""Borders of one colour around a clip: letterbox bars, pillars, frames drawn around a picture.

pictures uint8 [height, width, 4] of one clip -> `cut` -> each of them with one `Rect` for all.

A bar must have one colour in all pictures, but for compression noise, and must end in an edge along most of
its length. A caption inside a bar belongs to the bar. In doubt nothing is cropped: a dark scene that fades
into black has no such edge, and neither has a drawing on a plain ground.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.preprocess.container import Rect

Pixels = NDArray[np.uint8]
Packed = NDArray[np.uint32]  # the four bytes of a pixel as one number, so that pictures turn cheaply

_ALL_FOUR = np.uint32(0x01010101)  # true, true, true, true

NOISE = 20  # how far a pixel of a bar may be from the bar's colour, in each channel, 0..255
CONTRAST = 40  # how far a pixel behind the bar's edge must be from it, in at least one channel
PLAIN_SHARE = 0.98  # of a row's pixels must have the bar's colour for the row to be plain
EDGE_SHARE = 0.5  # at most this share of the pixels behind an edge may lack that contrast
EDGE_DEPTH = 0.1  # of the side's length: how far behind an edge to look
MAX_BAR = 0.4  # of the side's length, for one bar
MIN_CONTENT = 0.25  # of the side's length must be left between two bars


def cut(pictures: Iterable[Pixels]) -> Iterator[tuple[Pixels, Rect]]:
    """Yield each picture of a clip with what is inside the borders of all of them.

    Where the first one has no plain edge, that is everything, and each picture is yielded before the next one
    is asked for. Elsewhere all of them must be seen first, and copies are yielded.

    Args:
        pictures: as `find_content` takes them; one need only hold until the next is asked for.
    """
    pictures = iter(pictures)
    first = next(pictures)
    if any(_is_plain(edge, edge) for [edge] in _outermost([first])):
        seen = [first.copy(), *(picture.copy() for picture in pictures)]
        content = find_content(seen)
        yield from ((picture, content) for picture in seen)
        return
    height, width = first.shape[:2]
    for picture in itertools.chain([first], pictures):
        yield picture, Rect(0, 0, width, height)


def find_content(pictures: Sequence[Pixels]) -> Rect:
    """Return what is inside the borders, in pixels of the pictures; everything where there are none.

    Args:
        pictures: at least one, all uint8 [height, width, 4] of one size; the fourth channel is not read.
    """
    height, width = pictures[0].shape[:2]
    if not any(_may_have_bar(edges) for edges in _outermost(pictures)):
        return Rect(0, 0, width, height)
    low, high = (_packed(bound) for bound in _bounds(pictures))
    top, bottom = _between(*_rows(low, high))
    left, right = _between(*_columns(low[top:bottom], high[top:bottom]))
    if left or right < width:  # pillars may have hidden the plain rows
        upper, lower = _between(*_rows(low[top:bottom, left:right], high[top:bottom, left:right]))
        top, bottom = top + upper, top + lower
    return Rect(left, top, right, bottom)


# One side of a clip seen as its top: the darkest and the brightest value of each pixel over time.
_Side = tuple[Packed, Packed]


def _outermost(pictures: Sequence[Pixels]) -> Iterator[list[Packed]]:
    """Yield the top row, the bottom row, and the first and the last column of each picture."""
    packed = [_packed(picture) for picture in pictures]
    for edge in (0, -1):
        yield [picture[edge] for picture in packed]
        yield [picture[:, edge] for picture in packed]


def _may_have_bar(edges: Sequence[Packed]) -> bool:
    """Ask the first picture alone, and all of them where it says so: what has no plain edge has no bar."""
    if not _is_plain(edges[0], edges[0]):
        return False
    over_time = _bytes(np.stack(edges))
    return _is_plain(over_time.min(0).view(np.uint32), over_time.max(0).view(np.uint32))


def _packed(picture: Pixels) -> Packed:
    return np.ascontiguousarray(picture).view(np.uint32)[:, :, 0]


def _bounds(pictures: Sequence[Pixels]) -> tuple[Pixels, Pixels]:
    """Return the darkest and the brightest value of each channel of each pixel."""
    low, high = pictures[0].copy(), pictures[0].copy()
    for picture in pictures[1:]:
        np.minimum(low, picture, out=low)
        np.maximum(high, picture, out=high)
    return low, high


def _rows(low: Packed, high: Packed) -> tuple[_Side, _Side]:
    return (low, high), (low[::-1], high[::-1])


def _columns(low: Packed, high: Packed) -> tuple[_Side, _Side]:
    return _rows(low.T, high.T)


def _between(first: _Side, last: _Side) -> tuple[int, int]:
    """Return where the content starts and stops between two opposite sides."""
    length = len(first[0])
    start, stop = _bar(first), length - _bar(last)
    return (start, stop) if stop - start >= max(MIN_CONTENT * length, 1) else (0, length)


def _is_plain(low: Packed, high: Packed) -> bool:
    """Ask of one row."""
    return bool(_shares_near(low[np.newaxis], high[np.newaxis], NOISE)[0] >= PLAIN_SHARE)


def _bar(side: _Side) -> int:
    """Return how many rows the bar at the top has; 0 where there is none, or no telling where it ends."""
    low, high = side
    if not _is_plain(low[0], high[0]):
        return 0
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


def _shares_near(low: Packed, high: Packed, distance: int) -> NDArray[np.float64]:
    """For each row, the share of its pixels that always stay this near to the colour of the first row."""
    darkest, brightest = _range(low[0], high[0], distance)
    # Whole rows of bytes are compared: a last axis of three channels would cost numpy ten times as long.
    bright_enough = _bytes(low) >= np.full(low.shape[1], darkest).view(np.uint8)
    dark_enough = _bytes(high) <= np.full(low.shape[1], brightest).view(np.uint8)
    near = (bright_enough & dark_enough).view(np.uint32) == _ALL_FOUR
    shares: NDArray[np.float64] = np.count_nonzero(near, axis=1) / low.shape[1]
    return shares


def _range(low: Packed, high: Packed, distance: int) -> tuple[np.uint32, np.uint32]:
    """The darkest and the brightest value, packed, that are this near to the colour of a row of pixels."""
    channels = [_bytes(bound).reshape(-1, 4).T.astype(np.uint16, order="C") for bound in (low, high)]
    middle = (channels[0] + channels[1]) // 2
    middle.sort(axis=1)
    count = middle.shape[1]
    colour = (middle[:, (count - 1) // 2] + middle[:, count // 2]) / 2  # the median
    darkest = np.maximum(colour - distance, 0).astype(np.uint8)
    brightest = np.minimum(colour + distance, 255).astype(np.uint8)
    darkest[3], brightest[3] = 0, 255  # the fourth channel is as it likes
    return darkest.view(np.uint32)[0], brightest.view(np.uint32)[0]


def _bytes(pixels: Packed) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels).view(np.uint8)
