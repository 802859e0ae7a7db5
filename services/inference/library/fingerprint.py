"""Fingerprints of frames, which tell whether two frames show the same picture, cropped or not.

A frame's brightness is averaged over 16 x 16 cells. The fingerprint has one bit for each pair of cells that
are neighbours in a row or a column: whether the second one is brighter (as in Krawetz, "Kind of Like That",
2013). Scaling, re-encoding, captions and colours change few of these bits; of another picture about half
differ. A bit belongs to a place in the frame, so a part of a frame is compared with the bits of that part.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CELLS = 16  # in each direction
BITS = 2 * CELLS * (CELLS - 1)  # 480: differences to the right, then downwards
FINGERPRINT_BYTES = BITS // 8  # 60
SIDE = 64  # pixels, height and width of the brightness
# Standard deviation of the brightness, 0 to 255. Dark frames look alike, and what a flat one shows is noise.
FLAT = 16.0
CLEAR = 2.0  # of 0 to 255: smaller differences between cells of a query are left out, they may be noise
FEWEST = 60  # differences that must be left for a comparison

# The parts of a known frame that a query may show, in each direction: sizes as shares of the known frame, and
# places in steps. Small sizes are tried in one direction only: a wide picture is made upright for telephones.
# Sizes above 1 are queries with borders, on one side of the known frame or on both.
_SIZES = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7, 0.64, 0.58, 0.53, 0.48, 0.43, 0.38, 0.33, 0.29)
_SIZES_WITH_BORDERS = (1.07, 1.14, 1.2, 1.27, 1.34)
_STEP = 1 / 32
_SMALLEST = 0.55  # in the other direction at least _WHOLE
_WHOLE = 0.94
_SMALLEST_AREA = 0.35  # of the known frame, where no side is smaller than _SMALLEST

Signs = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """The fingerprints of a clip.

    Attributes:
        bits: uint8 [10, 60], packed, one row a frame.
        distinct: bool [10], the frames that can be compared: neither flat nor equal to an earlier one. At
            least one is, so that every clip can be found again.
    """

    bits: NDArray[np.uint8]
    distinct: NDArray[np.bool_]


def fingerprint(frames: NDArray[np.uint8]) -> Fingerprints:
    """Compute what a library keeps of the frames of a clip.

    Args:
        frames: uint8 [10, height, width, 3], RGB in 0..255.
    """
    grey = brightness(frames)
    cells = grey.reshape(len(grey), CELLS, SIDE // CELLS, CELLS, SIDE // CELLS).sum(
        axis=(2, 4), dtype=np.int32
    )
    bits = np.concatenate(
        [
            (cells[:, :, 1:] > cells[:, :, :-1]).reshape(len(grey), -1),
            (cells[:, 1:] > cells[:, :-1]).reshape(len(grey), -1),
        ],
        axis=1,
    )
    return Fingerprints(np.packbits(bits, axis=1), distinct_frames(grey))


def brightness(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the brightness of frames, uint8 [frame, 64, 64].

    Args:
        frames: uint8 [frame, height, width, 3], RGB in 0..255.
    """
    small = (
        Image.fromarray(frame).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX) for frame in frames
    )
    return np.stack([np.asarray(picture) for picture in small])


def distinct_frames(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which frames can be compared, see `Fingerprints.distinct`.

    Args:
        grey: uint8 [frame, 64, 64], from `brightness`.
    """
    distinct = np.asarray(grey.reshape(len(grey), -1).std(axis=1) >= FLAT)
    for later in range(1, len(grey)):
        distinct[later] &= not any(np.array_equal(grey[later], earlier) for earlier in grey[:later])
    if not distinct.any():
        distinct[0] = True
    return distinct


def known_signs(bits: NDArray[np.uint8]) -> Signs:
    """Return fingerprints as numbers: 1 where the second cell is brighter, else -1; float32 [..., 480].

    Args:
        bits: uint8 [..., 60].
    """
    return np.unpackbits(bits, axis=-1).astype(np.float32) * 2 - 1


def mirrored(signs: Signs) -> Signs:
    """Return the signs of the same frames mirrored left to right, float32 [..., 480]."""
    sideways, down = signs[..., : BITS // 2], signs[..., BITS // 2 :]
    shape = signs.shape[:-1]
    return np.concatenate(
        [
            -sideways.reshape(*shape, CELLS, CELLS - 1)[..., ::-1].reshape(*shape, -1),
            down.reshape(*shape, CELLS - 1, CELLS)[..., ::-1].reshape(*shape, -1),
        ],
        axis=-1,
    )


def whole_signs(grey: NDArray[np.uint8]) -> Signs:
    """Return the signs of a query's frames, float32 [frame, 480]: see `part_signs`.

    Args:
        grey: uint8 [frame, 64, 64], from `brightness`.
    """
    return placed_signs(grey, 0)


def placed_signs(grey: NDArray[np.uint8], placement: int) -> Signs:
    """Return the signs that known frames have if the query's frames are that part of them.

    Args:
        grey: uint8 [frame, 64, 64], from `brightness`.
        placement: a row of `part_signs`.

    Returns:
        float32 [frame, 480].
    """
    weights, inside = _axes()
    row, column = _placements()[placement]
    cells = weights[row] @ grey.astype(np.float32) @ weights[column].T
    return _signs(cells, np.outer(inside[row], inside[column]))


def part_signs(grey: NDArray[np.uint8]) -> Signs:
    """Return the signs that a known frame has if the query's frame is a part of it, for every such part.

    Args:
        grey: uint8 [64, 64], from `brightness`.

    Returns:
        float32 [placement, 480]: 1, -1, or 0 for a cell outside the query and for a small difference. The
        first row is the whole known frame.
    """
    weights, inside = _axes()
    pixels = grey.astype(np.float32)
    signs = []
    for rows, columns, is_tried in _blocks():
        high, wide = weights[rows].reshape(-1, SIDE), weights[columns].reshape(-1, SIDE)
        cells = (high @ pixels @ wide.T).reshape(len(rows), CELLS, len(columns), CELLS)
        is_inside = inside[rows][:, None, :, None] & inside[columns][None, :, None, :]
        signs.append(_signs(cells.swapaxes(1, 2)[is_tried], is_inside[is_tried]))
    return np.concatenate(signs)


def agreement(query: Signs, known: Signs) -> NDArray[np.float32]:
    """Return the share of the compared signs that are equal, 0 to 1.

    Args:
        query: float32 [query, 480], from `query_signs`.
        known: float32 [known, 480], from `known_signs`.

    Returns:
        float32 [query, known]; 0 where fewer than `FEWEST` signs can be compared.
    """
    compared = np.abs(query).sum(axis=1, keepdims=True)
    shares = (query @ known.T / np.maximum(compared, 1) + 1) / 2
    return np.where(compared >= FEWEST, shares, 0).astype(np.float32)


def _signs(cells: NDArray[np.floating], is_inside: NDArray[np.bool_]) -> Signs:
    """Return the signs of the differences between cells, float32 [..., 480]; cells are [..., 16, 16]."""
    sideways = np.diff(cells, axis=-1) * (is_inside[..., 1:] & is_inside[..., :-1])
    down = np.diff(cells, axis=-2) * (is_inside[..., 1:, :] & is_inside[..., :-1, :])
    shape = cells.shape[:-2]
    both = np.concatenate([sideways.reshape(*shape, -1), down.reshape(*shape, -1)], axis=-1)
    return np.where(both >= CLEAR, np.float32(1), np.where(both <= -CLEAR, np.float32(-1), np.float32(0)))


Block = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]


@functools.cache
def _blocks() -> tuple[Block, ...]:
    """Return the parts of a known frame that are tried.

    Returns:
        Intervals of the rows, of the columns, and which pairs of them are tried, bool [row, column].
    """
    sizes = np.array([size for _, size in _intervals()])
    whole, nearly = np.flatnonzero(sizes == 1), np.flatnonzero((sizes >= _WHOLE) & (sizes <= 1))
    middle = np.flatnonzero((sizes >= _SMALLEST) & (sizes <= 1))
    small, with_borders = np.flatnonzero(sizes < _SMALLEST), np.flatnonzero(sizes > 1)
    pairs = [(middle, middle), (nearly, small), (small, nearly), (whole, with_borders), (with_borders, whole)]
    return tuple(
        (rows, columns, np.outer(sizes[rows], sizes[columns]) >= (_SMALLEST_AREA if rows is columns else 0))
        for rows, columns in pairs
    )


@functools.cache
def _placements() -> NDArray[np.intp]:
    """Return the intervals of the parts that are tried, int [placement, 2], in the order of `part_signs`."""
    return np.concatenate(
        [
            np.stack([rows[is_tried.nonzero()[0]], columns[is_tried.nonzero()[1]]], axis=1)
            for rows, columns, is_tried in _blocks()
        ]
    )


def _intervals() -> list[tuple[float, float]]:
    """Return the parts of one side of a known frame that a query may show: start and size."""
    parts = []
    for size in _SIZES:
        count = round((1 - size) / _STEP + 0.499) + 1
        parts += [(float(start), size) for start in np.linspace(0, 1 - size, count)]
    for size in _SIZES_WITH_BORDERS:
        parts += [(share * (1 - size), size) for share in (0.0, 0.5, 1.0)]
    return parts


@functools.cache
def _axes() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return how the known frame's cells are averages of the query's pixels in one direction, by interval.

    Returns:
        Weights, float32 [interval, 16, 64], and whether a cell lies inside the query, bool [interval, 16].
    """
    weights, inside = [], []
    pixels = np.arange(SIDE)
    for start, size in _intervals():
        edges = (np.arange(CELLS + 1) / CELLS - start) / size * SIDE
        low, high = edges[:-1, None], edges[1:, None]
        covered = np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None)
        weights.append(covered / np.maximum(covered.sum(axis=1, keepdims=True), 1e-9))
        inside.append((edges[:-1] >= -0.5) & (edges[1:] <= SIDE + 0.5))
    return np.array(weights, np.float32), np.array(inside)
