"""Pillow's resize in Pillow's own whole numbers, in an order that vectors like.

pixels uint32 [height, width], each side less than 448 -> `resample` -> uint8 [224, 672], rows of RGB

Pillow (Resample.c) weighs the neighbours of every pixel by itself. Here four pixels of a row are
weighed at once, and then whole rows of bytes. Numbers, rounding and the order of the two passes are Pillow's,
and so is every pixel that comes out.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import int16, int32, int64, njit, uint8, uint32, void
from numpy.typing import NDArray

from services.clip import CLIP_CHANNELS, CLIP_SIZE
from services.preprocess.backend.numba_loops.memory import SLACK
from services.preprocess.backend.numba_loops.vectors import (
    AT_ONCE,
    BITS,
    CHANNELS,
    NEIGHBOURS,
    WEIGHTS,
    arrange,
    weigh,
)

_ROW = CLIP_SIZE * CLIP_CHANNELS
_HALF = np.int32(1 << (BITS - 1))

Weights = tuple[NDArray[np.int32], NDArray[np.int64]]
Lanes = tuple[NDArray[np.int64], NDArray[np.int16]]


@functools.lru_cache(maxsize=512)
def weights(size: int, extent: float) -> Weights:
    """Weigh the pixels of a row for each of the 224 that they become: triangles, as wide as they shrink.

    Args:
        size: pixels of the row, at most 448: a triangle then covers four of them at most.
        extent: how much of the row is scaled; less than its size where its last pixel is but a part of one.

    Returns:
        int32 [224, 4]: weights in units of 2^-22, zeros behind them; int64 [224, 2]: the first pixel that
        each of the 224 is made of, and how many.
    """
    scale = float(np.float32(extent)) / CLIP_SIZE  # Pillow holds boxes in float32
    support = max(scale, 1.0)
    table = np.zeros((CLIP_SIZE, NEIGHBOURS), np.int32)
    places = np.zeros((CLIP_SIZE, 2), np.int64)
    for index in range(CLIP_SIZE):
        centre = (index + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        stop = min(int(centre + support + 0.5), size)
        heights = [max(1.0 - abs((x - centre + 0.5) * (1.0 / support)), 0.0) for x in range(first, stop)]
        total = functools.reduce(float.__add__, heights)  # sum() would round better than Pillow does
        table[index, : stop - first] = [int(0.5 + height / total * (1 << BITS)) for height in heights]
        places[index] = first, stop - first
    return table, places


@functools.lru_cache(maxsize=128)
def lanes(size: int, extent: float) -> Lanes:
    """Arrange the `weights` of a row for vectors.

    Returns:
        int64 [224]: the first of the four pixels that are read for each of the 224, all of the row if it has
        as many; int16: what they weigh, as `weigh` takes it.
    """
    table, places = weights(size, extent)
    first = np.minimum(places[:, 0], max(size - NEIGHBOURS, 0))
    before = places[:, 0] - first  # pixels that are read, but weigh nothing
    turned = (np.arange(NEIGHBOURS) - before[:, np.newaxis]) % NEIGHBOURS
    return first, arrange(np.take_along_axis(table, turned, axis=1))


@njit(
    void(uint32[:, ::1], int64, int64, int64, int64[::1], int16[::1], uint8[:, ::1]), nogil=True, cache=True
)
def _narrow(pixels, left, right, top, first, weigh_as, out):
    """Scale rows to 224 pixels and drop their fourth byte, out[y] being of pixels[top + y, left:right]."""
    if right - left < NEIGHBOURS:  # four are read in any case
        wider = np.zeros((len(out), NEIGHBOURS), np.uint32)
        wider[:, : right - left] = pixels[top : top + len(out), left:right]
        pixels, left, top = wider, 0, 0
    data, stride = pixels.view(np.uint8).ravel(), CHANNELS * pixels.shape[1]
    starts = CHANNELS * (first + left)
    for y in range(len(out)):
        row, start = out[y], stride * (top + y)
        for x in range(0, CLIP_SIZE, AT_ONCE):
            weigh(
                row, CLIP_CHANNELS * x,
                data, start + starts[x], start + starts[x + 1], start + starts[x + 2], start + starts[x + 3],
                weigh_as, WEIGHTS * x,
            )  # fmt: skip


@njit(int32(int32, uint8), nogil=True, forceinline=True)
def _share(weight, value):
    return weight * np.int32(value)


@njit(uint8(int32), nogil=True, forceinline=True)
def _rounded(total):
    return np.int32(total + _HALF) >> np.int32(BITS)


@njit(void(uint8[:, ::1], int64, uint8[:, ::1], int32[:, ::1], int64[:, ::1]), nogil=True, cache=True)
def _shorten(rows, left, out, table, places):
    """Make each row of `out` a weighted sum of rows, from their byte `left` on."""
    right, last = left + out.shape[1], len(rows) - 1
    most = places[:, 1].max()
    for y in range(len(out)):
        first, target = places[y, 0], out[y]
        # A row that is missing weighs nothing.
        a, b = rows[first, left:right], rows[min(first + 1, last), left:right]
        c, d = rows[min(first + 2, last), left:right], rows[min(first + 3, last), left:right]
        for_a, for_b, for_c, for_d = table[y, 0], table[y, 1], table[y, 2], table[y, 3]
        if most <= 2:
            for x in range(len(target)):
                target[x] = _rounded(np.int32(_share(for_a, a[x]) + _share(for_b, b[x])))
        else:
            for x in range(len(target)):
                target[x] = _rounded(
                    np.int32(
                        _share(for_a, a[x]) + _share(for_b, b[x]) + _share(for_c, c[x]) + _share(for_d, d[x])
                    )
                )


@njit(
    void(
        uint32[:, ::1], int64, int64, int64, int64,
        int64[::1], int16[::1], int32[:, ::1], int64[:, ::1], uint8[:, ::1],
    ),
    nogil=True,
    cache=True,
)  # fmt: skip
def resample(pixels, left, top, right, bottom, first, weigh_as, down, down_places, out):
    """Scale pixels[top:bottom, left:right] to 224 x 224 RGB.

    Args:
        pixels: uint32 [height, width]; the fourth byte of each is not read.
        left: within the pixels, as all four.
        top: the first row.
        right: behind the last column.
        bottom: behind the last row.
        first: with `weigh_as` the `lanes` of the width.
        weigh_as: see there.
        down: with `down_places` the `weights` of the height.
        down_places: see there.
        out: uint8 [224, 672].
    """
    height, width = bottom - top, right - left
    # Pillow's rule: where the height shrinks by far the most, the second pass is spared many rows.
    if height > CLIP_SIZE and height - CLIP_SIZE > 2 * (width - CLIP_SIZE):
        short = np.empty((CLIP_SIZE, CHANNELS * width), np.uint8)
        _shorten(pixels[top:bottom].view(np.uint8), CHANNELS * left, short, down, down_places)
        rows = np.empty((CLIP_SIZE, _ROW + SLACK), np.uint8)
        _narrow(short.view(np.uint32), 0, width, 0, first, weigh_as, rows)
        out[:, :] = rows[:, :_ROW]
    else:
        rows = np.empty((height, _ROW + SLACK), np.uint8)
        _narrow(pixels, left, right, top, first, weigh_as, rows)
        _shorten(rows, 0, out, down, down_places)
