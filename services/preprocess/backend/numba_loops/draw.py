"""Drawing onto the canvas: palette indices, pixels with alpha, and a canvas on black."""

from __future__ import annotations

import numpy as np
from numba import int64, njit, types, uint8, uint32, void

_Pixels = types.Array(types.uint32, 2, "C", readonly=True)
_BLEND = void(uint32[:, ::1], int64, int64, int64, int64, _Pixels)
_BYTE, _HALF, _FULL = np.uint32(255), np.uint32(127), np.uint32(256)  # Numba treats literals as signed
_ONE, _TWO = np.uint32(1), np.uint32(2)
_8, _16, _24 = np.uint32(8), np.uint32(16), np.uint32(24)


@njit(
    void(uint32[:, ::1], int64, int64, int64, int64, uint8[:, ::1], uint32[::1], int64),
    nogil=True,
    cache=True,
)
def paint(canvas, left, top, right, bottom, indices, palette, transparent):
    """Draw palette indices onto canvas[top:bottom, left:right], a part within the canvas.

    `indices` are uint8, at least as high and wide as the part; what reaches beyond it is dropped. `palette`
    is uint32 [256]. The index `transparent` draws nothing; -1 if all draw.
    """
    for y in range(bottom - top):
        row = canvas[top + y, left:right]
        source = indices[y]
        if transparent < 0:
            for x in range(right - left):
                row[x] = palette[source[x]]
        else:
            for x in range(right - left):
                row[x] = row[x] if source[x] == transparent else palette[source[x]]


@njit(_BLEND, nogil=True, cache=True)
def blend_png(canvas, left, top, right, bottom, pixels):
    """Blend pixels with canvas[top:bottom, left:right], as `_blend_png` of the portable backend."""
    for y in range(bottom - top):
        row = canvas[top + y, left:right]
        source = pixels[y]
        for x in range(right - left):
            over, under = source[x], row[x]
            alpha = over >> _24
            seen, behind = alpha * _BYTE, (under >> _24) * (_BYTE - alpha)
            both = seen + behind
            if both == 0:
                row[x] = 0
                continue
            blended = ((both + _HALF) // _BYTE) << _24
            for shift in (uint32(0), _8, _16):
                colours = ((over >> shift) & _BYTE) * seen + ((under >> shift) & _BYTE) * behind
                blended |= ((_TWO * colours + both) // (_TWO * both)) << shift
            row[x] = blended


@njit(_BLEND, nogil=True, cache=True)
def blend_webp(canvas, left, top, right, bottom, pixels):
    """Blend pixels with canvas[top:bottom, left:right], as `_blend_webp` of the portable backend."""
    for y in range(bottom - top):
        row = canvas[top + y, left:right]
        source = pixels[y]
        for x in range(right - left):
            over, under = source[x], row[x]
            alpha = over >> _24
            if alpha == 0:
                continue
            if alpha == _BYTE:
                row[x] = over
                continue
            behind = ((under >> _24) * (_FULL - alpha)) >> _8
            both = alpha + behind
            scale = (_ONE << _24) // both
            blended = both << _24
            for shift in (uint32(0), _8, _16):
                colours = ((over >> shift) & _BYTE) * alpha + ((under >> shift) & _BYTE) * behind
                blended |= ((colours * scale) >> _24) << shift
            row[x] = blended


@njit(uint32[:, ::1](uint32[:, ::1]), nogil=True, cache=True)
def on_black(canvas):
    """Return a copy whose colours are multiplied by alpha and rounded to the nearest."""
    height, width = canvas.shape
    black = np.empty((height, width), np.uint32)
    for y in range(height):
        for x in range(width):
            pixel = canvas[y, x]
            alpha = pixel >> _24
            weighted = alpha << _24
            for shift in (uint32(0), _8, _16):
                weighted |= ((((pixel >> shift) & _BYTE) * alpha + _HALF) // _BYTE) << shift
            black[y, x] = weighted
    return black
