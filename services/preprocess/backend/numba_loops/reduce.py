"""Pillow's reduce in Pillow's own whole numbers: **pixels** -> averages of boxes, **fewer pixels**.

What Pillow's Reduce.c does box by box is done here for all boxes side by side.
"""

from __future__ import annotations

import numpy as np
from numba import int64, njit, uint32, void


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
