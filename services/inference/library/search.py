"""What a library knows of a clip: the same footage, and the known clips that look most like it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.clip import Clip
from services.inference.library.embedding import EMBEDDING_SCALE
from services.inference.library.file import Library
from services.inference.library.fingerprint import (
    distances,
    fingerprint,
    longest_order,
    mirrored,
    ordered_pairs,
)
from services.inference.prediction import Match, Neighbour, TimeSpan

NEIGHBOURS = 5
MATCHES = 5
CANDIDATES = 100  # known clips whose fingerprints are compared: those that look most like the query
# Frames agree if at most this share of their bits differs, and clips match if two frames do (one, if a clip
# has only one frame that can be compared). Found on 1,568 GIFs: docs/library.md has the figures.
SAME_FRAME = 0.3
SAME_FRAMES = 2
_BLOCK = 2_048  # clips whose embeddings are compared at once: 2 MB as float32, which fits a processor's cache


def find_neighbours(
    library: Library, embedding: NDArray[np.int8], *, most: int = NEIGHBOURS
) -> tuple[Neighbour, ...]:
    """Return the known clips whose embeddings are nearest, the most similar first.

    Args:
        library: to search.
        embedding: int8 [256], of the query.
        most: how many clips to return.
    """
    similarities = _similarities(library, embedding)
    # Rounded to int8, the vectors of one clip may have a cosine of 1.003 with themselves.
    similarities = np.clip(similarities, -1, 1)
    return tuple(
        Neighbour(library.show(clip), library.name(clip), round(float(similarities[clip]), 4))
        for clip in _largest(similarities, most)
    )


def find_matches(library: Library, clip: Clip, embedding: NDArray[np.int8]) -> tuple[Match, ...]:
    """Return the known clips that show the same footage, the longest and most similar first.

    Only the `CANDIDATES` nearest by embedding are compared frame by frame; each as it is and mirrored.

    Args:
        library: to search.
        clip: the query.
        embedding: int8 [256], of the query.
    """
    if not len(library):
        return ()
    candidates = _largest(_similarities(library, embedding), CANDIDATES)
    query = fingerprint(clip.frames)
    found = []
    for is_mirrored in (False, True):
        bits = mirrored(query.bits) if is_mirrored else query.bits
        apart = distances(bits, library.fingerprints[candidates])
        comparable = query.distinct[None, :, None] & library.distinct[candidates][:, None, :]
        agree = comparable & (apart <= SAME_FRAME)
        counts = longest_order(agree)
        fewest = np.minimum(query.distinct.sum(), library.distinct[candidates].sum(axis=1))
        needed = np.minimum(SAME_FRAMES, fewest)
        for place in np.flatnonzero(counts >= needed):
            pairs = ordered_pairs(agree[place])
            likeness = 1 - float(np.mean([apart[place][pair] for pair in pairs]))
            found.append(
                _match(library, int(candidates[place]), clip, pairs, likeness, is_mirrored=is_mirrored)
            )
    best: dict[str, Match] = {}
    for match in sorted(found, key=lambda match: (-match.frame_count, -match.similarity)):
        best.setdefault(match.name, match)
    return tuple(best.values())[:MATCHES]


def _match(
    library: Library,
    known: int,
    clip: Clip,
    pairs: list[tuple[int, int]],
    likeness: float,
    *,
    is_mirrored: bool,
) -> Match:
    (first, known_first), (last, known_last) = pairs[0], pairs[-1]
    times = library.times_ms[known].tolist()
    return Match(
        show=library.show(known),
        name=library.name(known),
        similarity=round(likeness, 4),
        frame_count=len(pairs),
        query=TimeSpan(clip.timestamps_ms[first], clip.timestamps_ms[last]),
        known=TimeSpan(times[known_first], times[known_last]),
        mirrored=is_mirrored,
    )


def _similarities(library: Library, embedding: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the cosine of a query with each clip of a library, float32 [clip]."""
    query = embedding.astype(np.float32) / EMBEDDING_SCALE**2
    found = np.empty(len(library), np.float32)
    for start in range(0, len(library), _BLOCK):
        block = slice(start, start + _BLOCK)
        found[block] = library.embeddings[block].astype(np.float32) @ query
    return found


def _largest(values: NDArray[np.float32], most: int) -> NDArray[np.intp]:
    """Return the places of the largest values, largest first; equal ones in their order."""
    places = np.arange(len(values))
    if most < len(values):
        places = np.sort(np.argpartition(-values, most)[:most])
    return places[np.argsort(-values[places], kind="stable")]
