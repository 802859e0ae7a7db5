"""Measures how plain the edges of pictures are, to find borders."""

from __future__ import annotations

import numpy as np
from numba import boolean, float64, int64, njit, uint8, uint32

from services.clip import CLIP_CHANNELS
from services.preprocess.backend.numba_loops.vectors import CHANNELS

_ALL_FOUR = np.uint32(0x01010101)  # true for all four bytes of a pixel


@njit(float64[::1](uint32[:, :, ::1], int64, int64, int64, int64), nogil=True, cache=True)
def middle_colour(pictures, left, top, right, bottom):
    """Return the median of each channel of pictures[:, top:bottom, left:right], found by counting values.

    Returns:
        float64 [3]. Each pixel counts with the middle of its smallest and largest value over time, rounded
        down.
    """
    data, first, last = pictures.view(np.uint8), CHANNELS * left, CHANNELS * right
    low, high = np.empty((2, CHANNELS * (right - left)), np.uint8)
    counts = np.zeros((CHANNELS, 256), np.int64)
    for y in range(top, bottom):
        low[:], high[:] = 255, 0
        for picture in range(len(pictures)):
            row = data[picture, y, first:last]
            for x in range(len(low)):
                low[x], high[x] = min(low[x], row[x]), max(high[x], row[x])
        for x in range(len(low)):
            counts[x % CHANNELS, (np.int64(low[x]) + high[x]) // 2] += 1
    pixels = (right - left) * (bottom - top)
    colour = np.empty(CLIP_CHANNELS, np.float64)
    for channel in range(CLIP_CHANNELS):
        total = np.cumsum(counts[channel])
        # The mean of both middle values, if the number of pixels is even.
        lower = np.searchsorted(total, (pixels - 1) // 2, side="right")
        upper = np.searchsorted(total, pixels // 2, side="right")
        colour[channel] = (lower + upper) / 2
    return colour


@njit(
    int64[::1](uint32[:, :, ::1], int64, int64, int64, int64, uint8[::1], uint8[::1], boolean),
    nogil=True,
    cache=True,
)
def count_near(pictures, left, top, right, bottom, darkest, brightest, columns):
    """Count the pixels of pictures[:, top:bottom, left:right] that are between two colours in all pictures.

    `pictures` is uint32 [pictures, height, width], `darkest` and `brightest` are uint8 [3]. Counts are for
    each column or for each row.
    """
    width = right - left
    low, high = np.zeros((width, CHANNELS), np.uint8), np.full((width, CHANNELS), 255, np.uint8)
    low[:, :CLIP_CHANNELS] = darkest
    high[:, :CLIP_CHANNELS] = brightest
    least, most = low.ravel(), high.ravel()
    near = np.empty(CHANNELS * width, np.uint8)
    pixels = near.view(np.uint32)
    data, first, last = pictures.view(np.uint8), CHANNELS * left, CHANNELS * right
    counts = np.zeros(width if columns else bottom - top, np.int64)
    for y in range(top, bottom):
        near[:] = 1
        for picture in range(len(pictures)):
            row = data[picture, y, first:last]
            for x in range(len(near)):
                near[x] &= np.uint8(row[x] >= least[x]) & np.uint8(row[x] <= most[x])
        if columns:
            for x in range(width):
                counts[x] += pixels[x] == _ALL_FOUR
        else:
            for x in range(width):
                counts[y - top] += pixels[x] == _ALL_FOUR
    return counts
