"""What a library knows of a clip: the same footage, and the known clips that look most like it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from services.clip import Clip
from services.inference.library.embedding import EMBEDDING_SCALE
from services.inference.library.file import Library
from services.inference.library.fingerprint import (
    Signs,
    agreement,
    brightness,
    distinct_frames,
    known_signs,
    mirrored,
    part_signs,
    placed_signs,
    whole_signs,
)
from services.inference.prediction import Match, Neighbour, TimeSpan

NEIGHBOURS = 5
MATCHES = 5
# Clips match if two pairs of frames agree, in order of time (one pair, if a clip has only one frame that can
# be compared). Frames agree if at least this share of their signs is equal: docs/library.md has the figures.
SAME_FRAMES = 2
SAME_WHOLE = 0.76
SAME_PART = 0.84  # more, since the best of thousands of parts is taken
# Besides, the share of a part must be so many standard deviations above that of a coin, which agrees half the
# time: small parts have few signs.
SAME_PART_DEVIATIONS = 7.5
_LIKELY_PART = 0.8  # a part in which one pair of frames agrees so much is tried with all frames
WHOLE_CANDIDATES = 100  # known clips whose frames are compared: those that look most like the query
PART_CANDIDATES = 20
PART_SIMILARITY = 0.3  # of embeddings, at least; most of a search is spent on parts
_TRIED_FRAMES = 2  # frames of the query for which every part is tried,
_TRIED_STEP = 2  # with every second frame of a known clip
_BLOCK = 2_048  # clips whose embeddings are compared at once: 2 MB as float32, which fits a processor's cache


class Evidence(NamedTuple):
    """What a library knows of a clip.

    Attributes:
        matches: the known clips that show the same footage, the longest and most similar first.
        neighbours: the known clips whose embeddings are nearest, the most similar first.
    """

    matches: tuple[Match, ...]
    neighbours: tuple[Neighbour, ...]


def find_neighbours(
    library: Library, embedding: NDArray[np.int8], *, most: int = NEIGHBOURS
) -> tuple[Neighbour, ...]:
    """Return the known clips whose embeddings are nearest, the most similar first.

    Args:
        library: to search.
        embedding: int8 [256], of the query.
        most: how many clips to return.
    """
    return _neighbours(library, _similarities(library, embedding), most)


def search_library(library: Library, clip: Clip, embedding: NDArray[np.int8]) -> Evidence:
    """Return what a library knows of a clip.

    For matches, the frames of the known clips that look most like the query are compared as they are and
    mirrored. If none agrees, the query may be cropped or have borders: its frames are compared with parts of
    the known ones.

    Args:
        library: to search.
        clip: the query.
        embedding: int8 [256], of the query.
    """
    if not len(library):
        return Evidence((), ())
    similarities = _similarities(library, embedding)
    neighbours = _neighbours(library, similarities, NEIGHBOURS)
    candidates = _largest(similarities, WHOLE_CANDIDATES)
    query = _Query(clip)
    # Matrices this small gain nothing from several threads, which wait for each other on a busy machine.
    with _libraries_of_numpy().limit(limits=1, user_api="blas"):
        found = _whole_matches(query, library, candidates)
        if not found:
            alike = candidates[:PART_CANDIDATES]
            found = _part_matches(query, library, alike[similarities[alike] >= PART_SIMILARITY])
    best: dict[str, Match] = {}
    for match in sorted(found, key=lambda match: (-match.frame_count, -match.similarity)):
        best.setdefault(match.name, match)
    return Evidence(tuple(best.values())[:MATCHES], neighbours)


def _neighbours(library: Library, similarities: NDArray[np.float32], most: int) -> tuple[Neighbour, ...]:
    return tuple(
        Neighbour(library.show(clip), library.name(clip), round(float(similarities[clip]), 4))
        for clip in _largest(similarities, most)
    )


class _Query:
    """The frames of a query that can be compared.

    Attributes:
        grey: uint8 [frame, 64, 64].
        times_ms: of each frame.
    """

    def __init__(self, clip: Clip) -> None:
        grey = brightness(clip.frames)
        frames = np.flatnonzero(distinct_frames(grey))
        self.grey = grey[frames]
        self.times_ms = [clip.timestamps_ms[frame] for frame in frames]

    def match(
        self,
        library: Library,
        known: int,
        shares: NDArray[np.float32],
        least: float | NDArray[np.float32],
        *,
        is_mirrored: bool,
    ) -> Match | None:
        """Return the match with a known clip, if enough frames agree.

        Args:
            library: has the clip.
            known: its place there.
            shares: float32 [frame of the query, 10], agreement of the frames.
            least: frames with this share agree; one number, or float32 [frame of the query, 1].
            is_mirrored: whether the known frames were mirrored.
        """
        distinct = library.distinct[known]
        pairs = _ordered_pairs((shares >= least) & distinct)
        if len(pairs) < min(SAME_FRAMES, len(self.grey), int(distinct.sum())):
            return None
        (first, known_first), (last, known_last) = pairs[0], pairs[-1]
        times = library.times_ms[known].tolist()
        return Match(
            show=library.show(known),
            name=library.name(known),
            similarity=round(float(np.mean([shares[pair] for pair in pairs])), 4),
            frame_count=len(pairs),
            query=TimeSpan(self.times_ms[first], self.times_ms[last]),
            known=TimeSpan(times[known_first], times[known_last]),
            mirrored=is_mirrored,
        )


def _whole_matches(query: _Query, library: Library, candidates: NDArray[np.intp]) -> list[Match]:
    signs = whole_signs(query.grey)
    found = []
    for is_mirrored, known in _both_ways(library, candidates):
        shares = _agreement(signs, known)
        for place in np.flatnonzero((shares >= SAME_WHOLE).any(axis=(0, 2))):
            clip = int(candidates[place])
            found.append(query.match(library, clip, shares[:, place], SAME_WHOLE, is_mirrored=is_mirrored))
    return [match for match in found if match]


def _part_matches(query: _Query, library: Library, candidates: NDArray[np.intp]) -> list[Match]:
    if not len(candidates):
        return []
    middle = np.linspace(0, len(query.grey) - 1, _TRIED_FRAMES + 2).round().astype(int)[1:-1]
    parts = [part_signs(query.grey[frame]) for frame in dict.fromkeys(middle.tolist())]
    found = []
    for is_mirrored, known in _both_ways(library, candidates):
        likely: set[tuple[int, int]] = set()
        for signs in parts:
            shares = _agreement(signs, known[:, ::_TRIED_STEP])
            best = np.where(library.distinct[candidates, ::_TRIED_STEP], shares, 0).max(axis=2)
            placements = best.argmax(axis=0)
            for place in np.flatnonzero(best.max(axis=0) >= _LIKELY_PART):
                likely.add((int(place), int(placements[place])))
        for number, placement in sorted(likely):
            signs = placed_signs(query.grey, placement)
            shares = agreement(signs, known[number])
            compared = np.maximum(np.abs(signs).sum(axis=1, keepdims=True), 1)
            least = np.maximum(SAME_PART, 0.5 + SAME_PART_DEVIATIONS * 0.5 / np.sqrt(compared))
            clip = int(candidates[number])
            found.append(query.match(library, clip, shares, least, is_mirrored=is_mirrored))
    return [match for match in found if match]


def _agreement(signs: Signs, known: Signs) -> NDArray[np.float32]:
    """Return `agreement` with the frames of clips, float32 [query, clip, 10]; known is [clip, 10, 480]."""
    return agreement(signs, known.reshape(-1, known.shape[-1])).reshape(len(signs), *known.shape[:2])


def _both_ways(library: Library, candidates: NDArray[np.intp]) -> Iterator[tuple[bool, Signs]]:
    """Yield the signs of known clips as they are and mirrored, float32 [clip, 10, 480]."""
    signs = known_signs(library.fingerprints[candidates])
    yield False, signs
    yield True, mirrored(signs)


def _ordered_pairs(agree: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the most pairs of frames that agree and whose places grow in both clips.

    This is a longest common subsequence.

    Args:
        agree: bool [frame of the query, frame of the known clip].
    """
    rows, columns = agree.shape
    agrees = agree.tolist()  # lists are several times faster here
    longest = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row, column in itertools.product(range(rows), range(columns)):
        longest[row + 1][column + 1] = max(
            longest[row][column + 1], longest[row + 1][column], longest[row][column] + agrees[row][column]
        )
    pairs = []
    while rows and columns:
        if longest[rows][columns] == longest[rows - 1][columns]:
            rows -= 1
        elif longest[rows][columns] == longest[rows][columns - 1]:
            columns -= 1
        else:
            rows, columns = rows - 1, columns - 1
            pairs.append((rows, columns))
    return pairs[::-1]


@functools.cache
def _libraries_of_numpy() -> ThreadpoolController:
    return ThreadpoolController()


def _similarities(library: Library, embedding: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return the cosine of a query with each clip of a library, float32 [clip]."""
    query = embedding.astype(np.float32) / EMBEDDING_SCALE**2
    found = np.empty(len(library), np.float32)
    for start in range(0, len(library), _BLOCK):
        block = slice(start, start + _BLOCK)
        found[block] = library.embeddings[block].astype(np.float32) @ query
    # Rounded to int8, the vectors of one clip may have a cosine of 1.003 with themselves.
    return np.clip(found, -1, 1)


def _largest(values: NDArray[np.float32], most: int) -> NDArray[np.intp]:
    """Return the places of the largest values, largest first; equal ones in their order."""
    places = np.arange(len(values))
    if most < len(values):
        places = np.sort(np.argpartition(-values, most)[:most])
    return places[np.argsort(-values[places], kind="stable")]
