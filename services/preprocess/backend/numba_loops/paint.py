"""Palette indices onto the canvas."""

from __future__ import annotations

from numba import int64, njit, uint8, uint32, void


@njit(
    void(uint32[:, ::1], int64, int64, int64, int64, uint8[:, ::1], uint32[::1], int64),
    nogil=True,
    cache=True,
)
def paint(canvas, left, top, right, bottom, indices, palette, transparent):
    """Draw a frame onto canvas[top:bottom, left:right].

    Args:
        canvas: uint32 [height, width].
        left: within the canvas, as all four.
        top: its first row.
        right: behind its last column.
        bottom: behind its last row.
        indices: uint8, at least as high and wide as that part; what reaches beyond it is dropped.
        palette: uint32 [256], as the canvas has its pixels.
        transparent: the index that draws nothing; -1 where all draw.
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
