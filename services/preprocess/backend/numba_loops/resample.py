"""Pillow's `reduce` and `resize` in the same integer arithmetic, arranged for vector instructions.

`reduce` averages boxes of pixels: Pillow's Reduce.c computes one box at a time, this all boxes of a row.
`resample` scales pixels uint32 [height, width], each side less than 448, to rows of RGB uint8 [224, 672]:
Pillow's Resample.c weights the neighbours of one pixel at a time, this those of four pixels, and then whole
rows of bytes. Numbers, rounding and the order of the two passes are those of Pillow, and so every pixel is
the same.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import int16, int32, int64, njit, uint8, uint32, void
from numpy.typing import NDArray

from services.clip import CLIP_CHANNELS, CLIP_SIZE
from services.preprocess.backend.numba_loops.vectors import (
    AT_ONCE,
    BITS,
    CHANNELS,
    NEIGHBOURS,
    SLACK,
    WEIGHTS,
    arrange,
    weigh,
)

_ROW = CLIP_SIZE * CLIP_CHANNELS
_HALF = np.int32(1 << (BITS - 1))

Weights = tuple[NDArray[np.int32], NDArray[np.int64]]
Lanes = tuple[NDArray[np.int64], NDArray[np.int16]]


@njit(uint32(uint32, uint32), nogil=True, forceinline=True)
def _middle(one, other):
    """Average two pixels, rounded up: the common bits plus half of the differing bits, for each byte."""
    return (one | other) - (((one ^ other) >> np.uint32(1)) & np.uint32(0x7F7F7F7F))


@njit(nogil=True, forceinline=True)
def _add(pixel, sums, x):
    """Add a pixel's red, green and blue to column `x` of `sums`, uint32 [3, n]."""
    sums[0, x] += pixel & np.uint32(255)
    sums[1, x] += (pixel >> np.uint32(8)) & np.uint32(255)
    sums[2, x] += (pixel >> np.uint32(16)) & np.uint32(255)


@njit(void(uint32[:, ::1], int64, int64, int64, int64, int64, uint32[::1]), nogil=True, cache=True)
def _average(pixels, left, right, top, bottom, across, out):
    """Average adjacent boxes, `across` pixels wide, of pixels[top:bottom, left:right]."""
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
        if across == 2:  # a constant step, which the compiler can vectorise
            for x in range(len(out)):
                _add(row[2 * x], sums, x)
                _add(row[2 * x + 1], sums, x)
        else:
            for first in range(across):
                for x in range(len(out)):
                    _add(row[first + x * across], sums, x)
    # Pillow divides by multiplying with 2^32 / 256 / area, computed in float32 and truncated.
    factor = np.uint32(np.float32(1 << 32) / np.float32(256 * area))
    for x in range(len(out)):
        red, green, blue = sums[0, x] * factor, sums[1, x] * factor, sums[2, x] * factor
        out[x] = red >> 24 & 0xFF | (green >> 24 & 0xFF) << 8 | (blue >> 24 & 0xFF) << 16


@njit(uint32[:, ::1](uint32[:, ::1], int64, int64, int64, int64, int64, int64), nogil=True, cache=True)
def reduce(pixels, left, top, right, bottom, across, down):
    """Average boxes of `across` x `down` pixels of pixels[top:bottom, left:right]; the last may be smaller.

    Returns:
        uint32 [height, width], the sides of the part divided and rounded up; fourth bytes are undefined.
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


@functools.lru_cache(maxsize=512)
def weights(size: int, extent: float) -> Weights:
    """Compute the weights of a row's pixels in each of the 224 new pixels, by Pillow's triangle filter.

    Args:
        size: pixels of the row, at most 448, so that a triangle covers at most four of them.
        extent: length of the row, less than its size if its last pixel is the average of fewer pixels.

    Returns:
        int32 [224, 4]: weights in units of 2^-22, padded with zeros; int64 [224, 2]: first pixel and number
        of pixels for each of the 224.
    """
    scale = float(np.float32(extent)) / CLIP_SIZE  # Pillow keeps boxes in float32
    support = max(scale, 1.0)
    table = np.zeros((CLIP_SIZE, NEIGHBOURS), np.int32)
    places = np.zeros((CLIP_SIZE, 2), np.int64)
    for index in range(CLIP_SIZE):
        centre = (index + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        stop = min(int(centre + support + 0.5), size)
        heights = [max(1.0 - abs((x - centre + 0.5) * (1.0 / support)), 0.0) for x in range(first, stop)]
        total = functools.reduce(float.__add__, heights)  # sum() rounds better than Pillow
        table[index, : stop - first] = [int(0.5 + height / total * (1 << BITS)) for height in heights]
        places[index] = first, stop - first
    return table, places


@functools.lru_cache(maxsize=128)
def lanes(size: int, extent: float) -> Lanes:
    """Arrange the `weights` of a row for `weigh`.

    Returns:
        int64 [224]: the first of the four pixels to read for each of the 224, all within the row if it has
        four;
        int16: their weights from `arrange`.
    """
    table, places = weights(size, extent)
    first = np.minimum(places[:, 0], max(size - NEIGHBOURS, 0))
    before = places[:, 0] - first  # pixels that are read with weight 0
    turned = (np.arange(NEIGHBOURS) - before[:, np.newaxis]) % NEIGHBOURS
    return first, arrange(np.take_along_axis(table, turned, axis=1))


@njit(
    void(uint32[:, ::1], int64, int64, int64, int64[::1], int16[::1], uint8[:, ::1]), nogil=True, cache=True
)
def _narrow(pixels, left, right, top, first, weigh_as, out):
    """Scale rows to 224 pixels of RGB: out[y] from pixels[top + y, left:right]."""
    if right - left < NEIGHBOURS:  # four are always read
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
    """Compute each row of `out` as a weighted sum of rows, from their byte `left` on."""
    right, last = left + out.shape[1], len(rows) - 1
    most = places[:, 1].max()
    for y in range(len(out)):
        first, target = places[y, 0], out[y]
        # A missing row has weight 0.
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
    """Scale pixels[top:bottom, left:right], uint32, to RGB in `out`, uint8 [224, 672].

    `first` and `weigh_as` are the `lanes` of the width, `down` and `down_places` the `weights` of the height.
    """
    height, width = bottom - top, right - left
    # As in Pillow: if the height shrinks much more, it is scaled first, which saves rows in the second pass.
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
