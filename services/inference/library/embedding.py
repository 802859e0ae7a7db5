"""The embedding of a clip as a library keeps it: short, of length 1, and in 8 bits.

A model's own embedding has thousands of numbers. A random projection keeps the angles between such vectors
nearly as they are (Johnson & Lindenstrauss, 1984); one of random signs does as well (Achlioptas, "Database-
friendly random projections", 2003) and needs no file: the signs are the bits of SHAKE-256 of a fixed text,
which are the same on every machine.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np
from numpy.typing import NDArray

EMBEDDING_SIZE = 256
EMBEDDING_SCALE = 508  # of the int8 numbers: 4 * 127; of a vector of length 1 few numbers exceed 1/4
_SEED = b"gif-analyzer library 1"


def project(embedding: NDArray[np.float32]) -> NDArray[np.int8]:
    """Shorten a model's embedding.

    Args:
        embedding: float32 [dimension].

    Returns:
        int8 [256]; divided by `EMBEDDING_SCALE`, a vector of length 1 but for rounding. All 0 for an
        embedding of length 0.
    """
    short = embedding.astype(np.float32) @ _signs(len(embedding))
    length = float(np.linalg.norm(short))
    scaled = short * (EMBEDDING_SCALE / length) if length else short
    return np.asarray(np.clip(np.rint(scaled), -127, 127), np.int8)


@functools.lru_cache(maxsize=2)
def _signs(dimension: int) -> NDArray[np.float32]:
    """Return the projection, -1 and 1, float32 [dimension, 256]."""
    bits = np.frombuffer(hashlib.shake_256(_SEED).digest(dimension * EMBEDDING_SIZE // 8), np.uint8)
    return np.unpackbits(bits).reshape(dimension, EMBEDDING_SIZE).astype(np.float32) * 2 - 1
