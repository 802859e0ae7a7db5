"""GIFs that show the same seconds: **GIF** -> fingerprint -> pairs nearer than a limit -> **groups**.

A fingerprint is the perceptual hash of each of the clip's ten frames, plain and mirrored. The clip comes from
services.preprocess, so borders, the number of frames and the speed no longer matter. Each frame looks for its
nearest in the other GIF; how far that is on average, from the GIF whose frames find the nearer ones, is how
far the two GIFs are: a part of a GIF is as near to it as its copy.

What that finds was measured on real footage, as the share of bits that differ; the limit is 0.25. Mirrored
copies lie at 0, tinted and trimmed ones at 0.06 at most, captioned ones at 0.17 at most. Copies re-encoded at
half the size are mostly below 0.05, but the worst was at 0.45; letterboxed ones have a median of 0.007, but a
quarter lies above 0.3. A crop of the picture by 5 % has a median of 0.29 and is mostly missed: it moves
everything, and a limit wide enough for it would join strangers. So a split by groups is not enough where the
same people post the same seconds: split by source as well, as `training.data.splits` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from services.clip import CLIP_FRAMES, Clip

HASH_SIZE = 16  # the lowest 16 x 16 frequencies of a frame
HASH_BITS = HASH_SIZE * HASH_SIZE  # 256
HASH_BYTES = HASH_BITS // 8  # 32
# Of the pairs among 743 GIFs of TV shows, whose groups were made without it, five lie below: four inside a
# group, and one across two groups of one source, at 0.237.
SAME = 0.25
# Standard deviation of the brightness, in 0..255: all dark frames look alike, and the hash of a flat one is
# noise.
FLAT = 16.0
_BLOCK = 64  # GIFs compared with all others at once: 64 x 10 x 10 distances a GIF, 4 bytes each


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What a GIF looks like, in bits.

    Attributes:
        plain: uint8 [10, 32], the packed perceptual hash of each frame.
        mirrored: uint8 [10, 32], the same of each frame mirrored left to right.
        telling: bool [10], frames with enough contrast to be compared; all of them where none has.
    """

    plain: NDArray[np.uint8]
    mirrored: NDArray[np.uint8]
    telling: NDArray[np.bool_]

    def __str__(self) -> str:
        """The hashes of the frames in hexadecimal digits, a colon between them, nothing for a flat one."""
        return ":".join(
            row.tobytes().hex() if telling else ""
            for row, telling in zip(self.plain, self.telling, strict=True)
        )

    def to_bytes(self) -> bytes:
        """All of it in 650 bytes, for `from_bytes`."""
        return self.plain.tobytes() + self.mirrored.tobytes() + self.telling.astype(np.uint8).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Fingerprint:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: the length is another.
        """
        numbers = np.frombuffer(data, np.uint8)
        hashes = numbers[:-CLIP_FRAMES].reshape(2, CLIP_FRAMES, HASH_BYTES)
        return cls(hashes[0], hashes[1], numbers[-CLIP_FRAMES:].astype(bool))


def fingerprint(clip: Clip) -> Fingerprint:
    """Hash the frames of a clip; equal frames are hashed once."""
    known: dict[bytes, tuple[NDArray[np.uint8], NDArray[np.uint8], bool]] = {}
    hashed = []
    for frame in clip.frames:
        content = frame.tobytes()
        if content not in known:
            picture = Image.fromarray(frame).convert("L")
            small = np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR))
            known[content] = _hash(picture), _hash(ImageOps.mirror(picture)), bool(small.std() >= FLAT)
        hashed.append(known[content])
    plain, mirrored, telling = zip(*hashed, strict=True)
    told = np.array(telling)
    return Fingerprint(np.stack(plain), np.stack(mirrored), told if told.any() else ~told)


def _hash(picture: Image.Image) -> NDArray[np.uint8]:
    return np.packbits(imagehash.phash(picture, hash_size=HASH_SIZE).hash.ravel())


@dataclass(frozen=True, order=True)
class Pair:
    """Two GIFs that show the same.

    Attributes:
        first: place of one.
        second: place of the other, behind the first.
        distance: share of differing bits, in 0..1.
    """

    first: int
    second: int
    distance: float


def near_pairs(prints: Sequence[Fingerprint], *, limit: float = SAME) -> tuple[Pair, ...]:
    """All pairs at most so far from each other, plain or one of them mirrored, in order of their places."""
    found: dict[tuple[int, int], float] = {}
    for rows, columns, distances in _near(prints, limit):
        for row, column, distance in zip(rows.tolist(), columns.tolist(), distances.tolist(), strict=True):
            key = (min(row, column), max(row, column))
            if row != column:
                found[key] = min(distance, found.get(key, 1.0))
    return tuple(Pair(*key, round(distance, 6)) for key, distance in sorted(found.items()))


def join(count: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """Number what hangs together by pairs, directly or through others.

    Returns:
        int [count], numbered from 0 in the order of their first member.
    """
    first, second = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    links = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    _, labels = connected_components(links, directed=False)
    _, firsts, places = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(firsts))[places], dtype=np.intp)


def _near(
    prints: Sequence[Fingerprint], limit: float
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]]:
    """Rows, columns and distances below the limit, block by block; a pair may come up to four times."""
    if not prints:
        return
    telling = np.stack([each.telling for each in prints])
    plain = _signs(np.stack([each.plain for each in prints]))
    others = (plain, _signs(np.stack([each.mirrored for each in prints])))
    for start in range(0, len(prints), _BLOCK):
        block = slice(start, start + _BLOCK)
        for other in others:
            distances = _distances(plain[block], telling[block], other, telling)
            rows, columns = np.nonzero(distances <= limit)
            yield rows + start, columns, distances[rows, columns]


def _signs(hashes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bits as -1 and 1, float32 [GIF, frame, 256]: their product counts the bits that agree."""
    return np.unpackbits(hashes, axis=-1).astype(np.float32) * 2 - 1


def _distances(
    a: NDArray[np.float32], telling_a: NDArray[np.bool_], b: NDArray[np.float32], telling_b: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """How far each GIF of a is from each of b, float32 [a, b] in 0..1."""
    agreement = a.reshape(-1, HASH_BITS) @ b.reshape(-1, HASH_BITS).T
    apart = ((HASH_BITS - agreement) / (2 * HASH_BITS)).reshape(len(a), CLIP_FRAMES, len(b), CLIP_FRAMES)
    apart[~(telling_a[:, :, None, None] & telling_b[None, None])] = 2  # farther than anything
    forth = np.where(telling_a[:, :, None], apart.min(axis=3), 0).sum(axis=1) / telling_a.sum(axis=1)[:, None]
    back = np.where(telling_b[None], apart.min(axis=1), 0).sum(axis=2) / telling_b.sum(axis=1)
    return np.asarray(np.minimum(forth, back), dtype=np.float32)
