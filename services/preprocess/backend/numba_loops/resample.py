"""Pillow's resize in Pillow's own whole numbers, in an order that vectors like.

pixels uint32 [height, width] -> `reduce` -> fewer pixels -> `resample` -> uint8 [224, 672], rows of RGB

Pillow (Reduce.c, Resample.c) weighs the neighbours of every pixel by itself. Here four pixels of a row are
weighed at once, and then whole rows of bytes. Numbers, rounding and the order of the two passes are Pillow's,
and so is every pixel that comes out.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import int32, int64, njit, uint8, uint32, void
from numpy.typing import NDArray

from services.clip import CLIP_CHANNELS, CLIP_SIZE
from services.preprocess.backend.numba_loops.memory import SLACK
from services.preprocess.backend.numba_loops.vectors import AT_ONCE, BITS, CHANNELS, LANES, NEIGHBOURS, weigh

_ROW = CLIP_SIZE * CLIP_CHANNELS
_HALF = np.int32(1 << (BITS - 1))

Weights = tuple[NDArray[np.int32], NDArray[np.int64]]


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


@njit(
    void(uint32[:, ::1], int64, int64, int64, int32[:, ::1], int64[:, ::1], uint8[:, ::1]),
    nogil=True,
    cache=True,
)
def _narrow(pixels, left, right, top, table, places, out):
    """Scale rows to 224 pixels and drop their fourth byte, out[y] being of pixels[top + y, left:right]."""
    width = right - left
    if width < NEIGHBOURS:  # four are read in any case
        wider = np.zeros((len(out), NEIGHBOURS), np.uint32)
        wider[:, :width] = pixels[top : top + len(out), left:right]
        pixels, left, top, width = wider, 0, 0, NEIGHBOURS
    starts = np.empty(CLIP_SIZE, np.int64)
    each = np.zeros((CLIP_SIZE, NEIGHBOURS, CHANNELS), np.int32)
    for x in range(CLIP_SIZE):
        first, count = places[x]
        before = max(first + NEIGHBOURS - width, 0)  # of those read, which lie within the part
        starts[x] = CHANNELS * (left + first - before)
        for neighbour in range(count):
            each[x, before + neighbour] = table[x, neighbour]
    data, each_weight = pixels.view(np.uint8).ravel(), each.ravel()
    for y in range(len(out)):
        start = CHANNELS * pixels.shape[1] * (top + y)
        row = out[y]
        for x in range(0, CLIP_SIZE, AT_ONCE):
            weigh(
                row, CLIP_CHANNELS * x,
                data, start + starts[x], start + starts[x + 1], start + starts[x + 2], start + starts[x + 3],
                each_weight, LANES * x,
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
        short = np.empty((CLIP_SIZE, CHANNELS * width), np.uint8)
        _shorten(pixels[top:bottom].view(np.uint8), CHANNELS * left, short, down, down_places)
        rows = np.empty((CLIP_SIZE, _ROW + SLACK), np.uint8)
        _narrow(short.view(np.uint32), 0, width, 0, across, across_places, rows)
        out[:, :] = rows[:, :_ROW]
    else:
        rows = np.empty((height, _ROW + SLACK), np.uint8)
        _narrow(pixels, left, right, top, across, across_places, rows)
        _shorten(rows, 0, out, down, down_places)


@njit(uint32(uint32, uint32), nogil=True, forceinline=True)
def _middle(one, other):
    """Average two pixels, rounded up: what both have and half of where they differ, each byte by itself."""
    return (one | other) - (((one ^ other) >> np.uint32(1)) & np.uint32(0x7F7F7F7F))


@njit(nogil=True, forceinline=True)
def _add(pixel, sums, x):
    """Add a pixel's red, green and blue to column `x` of `sums`, uint32 [3, n]."""
    sums[0, x] += pixel & np.uint32(255)
    sums[1, x] += (pixel >> np.uint32(8)) & np.uint32(255)
    sums[2, x] += (pixel >> np.uint32(16)) & np.uint32(255)


@njit(void(uint32[:, ::1], int64, int64, int64, int64, int64, uint32[::1]), nogil=True, cache=True)
def _average(pixels, left, right, top, bottom, across, out):
    """Average boxes of `across` pixels' width side by side in pixels[top:bottom, left:right]."""
    row, last_row = pixels[top, left:right], pixels[bottom - 1, left:right]
    area = (bottom - top) * across
    if area == 2:  # the most common
        for x in range(len(out)):
            out[x] = _middle(row[x], last_row[x]) if across == 1 else _middle(row[2 * x], row[2 * x + 1])
        return
    sums = np.empty((3, len(out)), np.uint32)
    sums[:] = area // 2
    for y in range(top, bottom):
        row = pixels[y, left:right]
        if across == 2:  # a step that the compiler knows
            for x in range(len(out)):
                _add(row[2 * x], sums, x)
                _add(row[2 * x + 1], sums, x)
        else:
            for first in range(across):
                for x in range(len(out)):
                    _add(row[first + x * across], sums, x)
    # Pillow divides by multiplying with 2^32 / 256 / area, in float32 and cut to a whole number.
    factor = np.uint32(np.float32(1 << 32) / np.float32(256 * area))
    for x in range(len(out)):
        red, green, blue = sums[0, x] * factor, sums[1, x] * factor, sums[2, x] * factor
        out[x] = red >> 24 & 0xFF | (green >> 24 & 0xFF) << 8 | (blue >> 24 & 0xFF) << 16


@njit(uint32[:, ::1](uint32[:, ::1], int64, int64, int64, int64, int64, int64), nogil=True, cache=True)
def reduce(pixels, left, top, right, bottom, across, down):
    """Average boxes of `across` x `down` pixels of pixels[top:bottom, left:right]; the last may be smaller.

    Returns:
        uint32 [height, width], the part's sides divided and rounded up; fourth bytes are as they like.
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
