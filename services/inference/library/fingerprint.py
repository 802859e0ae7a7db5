"""Fingerprints of frames, and the footage that two clips share.

A fingerprint is the perceptual hash of a frame's brightness: the signs of its 256 lowest frequencies, each
against their median (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010).
Scaling, re-encoding, captions and colours change few of them; another picture changes about half.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.clip import CLIP_FRAMES

HASH_SIDE = 16  # the lowest 16 x 16 frequencies
HASH_BITS = HASH_SIDE * HASH_SIDE
FINGERPRINT_BYTES = HASH_BITS // 8  # 32
_SIDE = 64  # pixels, height and width of the brightness that is transformed
# Standard deviation of the brightness, 0 to 255. Dark frames look alike, and the hash of a flat one is noise.
FLAT = 16.0


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """The fingerprints of a clip.

    Attributes:
        bits: uint8 [10, 32], packed, one row a frame.
        distinct: bool [10], the frames that can be compared: neither flat nor equal to an earlier one. At
            least one is, so that every clip can be found again.
    """

    bits: NDArray[np.uint8]
    distinct: NDArray[np.bool_]


def fingerprint(frames: NDArray[np.uint8]) -> Fingerprints:
    """Hash the frames of a clip.

    Args:
        frames: uint8 [10, height, width, 3], RGB in 0..255.
    """
    grey = np.stack([_brightness(frame) for frame in frames])
    distinct = grey.reshape(len(grey), -1).std(axis=1) >= FLAT
    for later in range(1, len(grey)):
        distinct[later] &= not any(np.array_equal(grey[later], earlier) for earlier in grey[:later])
    if not distinct.any():
        distinct[0] = True
    return Fingerprints(np.packbits(_signs(grey), axis=-1), distinct)


def mirrored(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the fingerprints of the same frames mirrored left to right.

    Mirroring changes the sign of every odd horizontal frequency, and with it the bit; the median, about 0,
    hardly moves.

    Args:
        bits: uint8 [..., 32].
    """
    flips = np.zeros((HASH_SIDE, HASH_SIDE), bool)
    flips[:, 1::2] = True
    return bits ^ np.packbits(flips.ravel())


def distances(query: NDArray[np.uint8], known: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the share of bits that differ between each frame of a query and each frame of known clips.

    Args:
        query: uint8 [10, 32].
        known: uint8 [clip, 10, 32].

    Returns:
        float32 [clip, frame of the query, frame of the clip], 0 to 1.
    """
    signs = np.unpackbits(query, axis=-1).astype(np.float32) * 2 - 1
    others = np.unpackbits(known.reshape(-1, FINGERPRINT_BYTES), axis=-1).astype(np.float32) * 2 - 1
    agreement = (signs @ others.T).reshape(len(query), len(known), -1)
    return np.asarray((1 - agreement / HASH_BITS) / 2, np.float32).swapaxes(0, 1)


def longest_order(agree: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Count the pairs of frames that agree in order of time.

    Args:
        agree: bool [clip, 10, 10], which frame of a query agrees with which frame of each clip.

    Returns:
        int [clip]: the largest number of pairs that agree and whose places grow in both clips.
    """
    return _orders(agree)[:, -1, -1]


def ordered_pairs(agree: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return as many pairs of frames as `longest_order` counts for one clip, bool [10, 10]."""
    longest = _orders(agree[None])[0]
    query, known, pairs = CLIP_FRAMES, CLIP_FRAMES, []
    while query and known:
        if longest[query, known] == longest[query - 1, known]:
            query -= 1
        elif longest[query, known] == longest[query, known - 1]:
            known -= 1
        else:
            query, known = query - 1, known - 1
            pairs.append((query, known))
    return pairs[::-1]


def _orders(agree: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the longest common subsequence of the first frames of both, int [clip, 11, 11]."""
    longest = np.zeros((len(agree), CLIP_FRAMES + 1, CLIP_FRAMES + 1), np.intp)
    for query in range(CLIP_FRAMES):
        for known in range(CLIP_FRAMES):
            longest[:, query + 1, known + 1] = np.maximum(
                np.maximum(longest[:, query, known + 1], longest[:, query + 1, known]),
                longest[:, query, known] + agree[:, query, known],
            )
    return longest


def _brightness(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = Image.fromarray(frame).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(picture)


def _signs(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    cosines = _cosines()
    lowest = (cosines @ grey.astype(np.float32) @ cosines.T).reshape(len(grey), -1)
    # The median of the 255 others. numpy.median imports numpy.ma, which the bundle for Lambda leaves out.
    middle = (HASH_BITS - 1) // 2
    return np.asarray(lowest > np.partition(lowest[:, 1:], middle)[:, middle, None], np.bool_)


@functools.cache
def _cosines() -> NDArray[np.float32]:
    """Return the first rows of the discrete cosine transform, type II: float32 [16, 64]."""
    places = np.arange(_SIDE) * 2 + 1
    return np.cos(np.pi * places * np.arange(HASH_SIDE)[:, None] / (2 * _SIDE)).astype(np.float32)
