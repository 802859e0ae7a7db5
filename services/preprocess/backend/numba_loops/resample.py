"""Pillow's resize in Pillow's own whole numbers, in an order that vectors like.

pixels uint32 [height, width] -> `reduce` -> fewer pixels -> `resample` -> uint8 [224, 672], rows of RGB

Pillow (Reduce.c, Resample.c) weighs the neighbours of every pixel by itself. Here sixteen rows at a time are
turned on their side, so that one weight multiplies a whole row of bytes. Numbers, rounding and the order of
the two passes are Pillow's, and so is every pixel that comes out.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numba import int32, int64, njit, uint8, uint32, void
from numpy.typing import NDArray

from services.clip import CLIP_CHANNELS, CLIP_SIZE
from services.preprocess.backend.numba_loops.memory import SLACK, store32

_BITS = 22  # of a weight, behind the point: Pillow's PRECISION_BITS
_HALF = 1 << (_BITS - 1)
_STRIP = 16  # rows that are turned at once: 64 bytes of each column
_FEW = 4  # neighbours that most pixels have at most
_ROW = CLIP_SIZE * CLIP_CHANNELS

Weights = tuple[NDArray[np.int32], NDArray[np.int64]]


@functools.lru_cache(maxsize=512)
def weights(size: int, extent: float) -> Weights:
    """Weigh the pixels of a row for each of the 224 that they become: triangles, as wide as they shrink.

    Args:
        size: pixels of the row.
        extent: how much of the row is scaled; less than its size where its last pixel is but a part of one.

    Returns:
        int32 [224, n]: weights in units of 2^-22, zeros behind them; int64 [224, 2]: the first pixel that
        each of the 224 is made of, and how many.
    """
    scale = float(np.float32(extent)) / CLIP_SIZE  # Pillow holds boxes in float32
    support = max(scale, 1.0)
    table = np.zeros((CLIP_SIZE, max(2 * math.ceil(support) + 1, _FEW)), np.int32)
    places = np.zeros((CLIP_SIZE, 2), np.int64)
    for index in range(CLIP_SIZE):
        centre = (index + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        stop = min(int(centre + support + 0.5), size)
        heights = [max(1.0 - abs((x - centre + 0.5) * (1.0 / support)), 0.0) for x in range(first, stop)]
        total = functools.reduce(float.__add__, heights)  # sum() would round better than Pillow does
        table[index, : stop - first] = [int(0.5 + height / total * (1 << _BITS)) for height in heights]
        places[index] = first, stop - first
    return table, places


@njit(uint8(int32), nogil=True, inline="always")
def _rounded(total):
    return min(max(total >> _BITS, 0), 255)


@njit(void(uint8[:, ::1], int64, uint8[:, ::1], int32[:, ::1], int64[:, ::1]), nogil=True, cache=True)
def _weigh(rows, left, out, table, places):
    """Make each row of `out` a weighted sum of rows, from their byte `left` on."""
    right = left + out.shape[1]
    total = np.empty(out.shape[1], np.int32)
    for index in range(len(out)):
        first, count = places[index]
        w = table[index]
        if count <= _FEW:  # in one pass; those that are missing weigh nothing
            a, b = rows[first, left:right], rows[min(first + 1, len(rows) - 1), left:right]
            c = rows[min(first + 2, len(rows) - 1), left:right]
            d = rows[min(first + 3, len(rows) - 1), left:right]
            for x in range(len(total)):
                total[x] = (
                    np.int32(_HALF)
                    + w[0] * np.int32(a[x])
                    + w[1] * np.int32(b[x])
                    + w[2] * np.int32(c[x])
                    + w[3] * np.int32(d[x])
                )
        else:
            total[:] = _HALF
            for neighbour in range(count):
                source = rows[first + neighbour, left:right]
                for x in range(len(total)):
                    total[x] += w[neighbour] * np.int32(source[x])
        target = out[index]
        for x in range(len(total)):
            target[x] = _rounded(total[x])


@njit(
    void(uint32[:, ::1], int64, int64, int64, int32[:, ::1], int64[:, ::1], uint8[:, ::1]),
    nogil=True,
    cache=True,
)
def _narrow(pixels, left, right, top, table, places, out):
    """Scale rows to 224 pixels and drop their fourth byte, out[y] being of pixels[top + y, left:right]."""
    columns = np.empty((right - left, _STRIP), np.uint32)
    narrow = np.empty((CLIP_SIZE, _STRIP), np.uint32)
    for first in range(0, len(out), _STRIP):
        height = min(_STRIP, len(out) - first)
        for y in range(height):
            row = pixels[top + first + y, left:right]
            for x in range(right - left):
                columns[x, y] = row[x]
        _weigh(columns.view(np.uint8), 0, narrow.view(np.uint8), table, places)
        for y in range(height):
            row = out[first + y]
            for x in range(CLIP_SIZE):
                store32(row, CLIP_CHANNELS * x, narrow[x, y])  # its fourth byte is overwritten by the next


@njit(
    void(
        uint32[:, ::1], int64, int64, int64, int64,
        int32[:, ::1], int64[:, ::1], int32[:, ::1], int64[:, ::1], uint8[:, ::1],
    ),
    nogil=True,
    cache=True,
)  # fmt: skip
def resample(pixels, left, top, right, bottom, across, across_places, down, down_places, out):
    """Scale pixels[top:bottom, left:right] to 224 x 224 RGB.

    Args:
        pixels: uint32 [height, width]; the fourth byte of each is not read.
        left: within the pixels, as all four.
        top: the first row.
        right: behind the last column.
        bottom: behind the last row.
        across: with `across_places` the `weights` of the width.
        across_places: see there.
        down: with `down_places` the `weights` of the height.
        down_places: see there.
        out: uint8 [224, 672].
    """
    height, width = bottom - top, right - left
    # Pillow's rule: where the height shrinks by far the most, the second pass is spared many rows.
    if height > CLIP_SIZE and height - CLIP_SIZE > 2 * (width - CLIP_SIZE):
        short = np.empty((CLIP_SIZE, 4 * width), np.uint8)
        _weigh(pixels[top:bottom].view(np.uint8), 4 * left, short, down, down_places)
        rows = np.empty((CLIP_SIZE, _ROW + SLACK), np.uint8)
        _narrow(short.view(np.uint32), 0, width, 0, across, across_places, rows)
        out[:, :] = rows[:, :_ROW]
    else:
        rows = np.empty((height, _ROW + SLACK), np.uint8)
        _narrow(pixels, left, right, top, across, across_places, rows)
        _weigh(rows, 0, out, down, down_places)


@njit(nogil=True, forceinline=True)
def _add(pixels, step, sums):
    """Add the red, green and blue of every so-manieth pixel to `sums`, uint32 [3, n]."""
    for x in range(sums.shape[1]):
        pixel = pixels[x * step]
        sums[0, x] += pixel & np.uint32(255)
        sums[1, x] += (pixel >> np.uint32(8)) & np.uint32(255)
        sums[2, x] += (pixel >> np.uint32(16)) & np.uint32(255)


@njit(void(uint32[:, ::1], int64, int64, int64, int64, int64, uint32[::1]), nogil=True, cache=True)
def _average(pixels, left, right, top, bottom, across, out):
    """Average boxes of `across` pixels' width side by side in pixels[top:bottom, left:right]."""
    sums = np.empty((3, len(out)), np.uint32)
    area = (bottom - top) * across
    sums[:] = area // 2
    for y in range(top, bottom):
        for x in range(left, left + across):
            if across == 2:  # the most common, with a step that the compiler knows
                _add(pixels[y, x:right], 2, sums)
            else:
                _add(pixels[y, x:right], across, sums)
    # Pillow divides by multiplying with 2^32 / 256 / area, in float32 and cut to a whole number.
    factor = np.uint32(np.float32(1 << 32) / np.float32(256 * area))
    for x in range(len(out)):
        red, green, blue = sums[0, x] * factor, sums[1, x] * factor, sums[2, x] * factor
        out[x] = red >> 24 & 0xFF | (green >> 24 & 0xFF) << 8 | (blue >> 24 & 0xFF) << 16


@njit(uint32[:, ::1](uint32[:, ::1], int64, int64, int64, int64, int64, int64), nogil=True, cache=True)
def reduce(pixels, left, top, right, bottom, across, down):
    """Average boxes of `across` x `down` pixels of pixels[top:bottom, left:right]; the last may be smaller.

    Returns:
        uint32 [height, width], the part's sides divided and rounded up; the fourth byte of each is 0.
    """
    width, height = -(-(right - left) // across), -(-(bottom - top) // down)
    whole = (right - left) // across
    rest = (right - left) % across
    out = np.empty((height, width), np.uint32)
    for y in range(height):
        first = top + y * down
        last = min(first + down, bottom)
        _average(pixels, left, right, first, last, across, out[y, :whole])
        if rest:
            _average(pixels, right - rest, right, first, last, rest, out[y, whole:])
    return out
