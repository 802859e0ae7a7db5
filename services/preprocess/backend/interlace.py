"""Rows of an interlaced GIF frame, as they come in four passes -> rows in their places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The first row and the distance of rows in each of the four passes.
_PASSES = ((0, 8), (4, 8), (2, 4), (1, 2))


def in_order(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put the rows of an interlaced picture in their places."""
    picture = np.empty_like(rows)
    first = 0
    for start, step in _PASSES:
        places = picture[start::step]
        places[...] = rows[first : first + len(places)]
        first += len(places)
    return picture
