"""Groups GIFs that show the same seconds, by the perceptual hashes of their frames.

`group` does so for a new collection, and sets aside GIFs that two shows claim; `regroup` for a manifest.

A fingerprint is the perceptual hash of each of the clip's ten frames, plain and mirrored. The clip comes from
services.preprocess, so borders, the number of frames and the speed do not matter. The distance of one GIF to
another is the mean over its frames of the share of bits that differ from the nearest frame of the other; the
distance of the two is the smaller of both directions, so that a part of a GIF is as near to it as a copy.

Measured on real footage, with the limit at 0.25: mirrored copies are at 0, tinted and trimmed ones at most at
0.06, captioned ones at most at 0.17. Copies re-encoded at half the size are mostly below 0.05, but the worst
was at 0.45; letterboxed ones have a median of 0.007, but a quarter is above 0.3. Crops by 5 % have a median
of 0.29 and are mostly missed: a limit wide enough for them would join different scenes. So a split by groups
is not enough where the same people publish the same seconds: split by source as well, as
`training.data.splits` does.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from services.clip import CLIP_FRAMES, Clip
from services.errors import os_reason
from training.collect.collection import Entry, Refused
from training.data.manifest import Row, read_lines
from training.data.splits import number_components, same
from training.errors import InvalidManifest
from training.files import relative_path, write_csv

UNDER_TWO_SHOWS = "UNDER_TWO_SHOWS"

HASH_SIZE = 16  # the lowest 16 x 16 frequencies of a frame
HASH_BITS = HASH_SIZE * HASH_SIZE  # 256
HASH_BYTES = HASH_BITS // 8  # 32
# Of the pairs among 743 GIFs of TV shows, whose groups were made without fingerprints, five are below: four
# in one group each, and one in two groups of one source, at 0.237.
SAME = 0.25
# Least standard deviation of the brightness, in 0..255: dark frames are all alike, and the hash of a flat
# frame is noise.
FLAT = 16.0
_BLOCK = 64  # GIFs compared with all others at once: 64 x 10 x 10 distances a GIF, 4 bytes each


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """The perceptual hashes of a clip.

    Attributes:
        plain: uint8 [10, 32], the packed perceptual hash of each frame.
        mirrored: uint8 [10, 32], the same of each frame mirrored left to right.
        telling: bool [10], frames with enough contrast to be compared; all True where none has.
    """

    plain: NDArray[np.uint8]
    mirrored: NDArray[np.uint8]
    telling: NDArray[np.bool_]

    def __str__(self) -> str:
        """The plain hashes in hexadecimal digits, joined by colons; a flat frame has no digits."""
        return ":".join(
            row.tobytes().hex() if telling else ""
            for row, telling in zip(self.plain, self.telling, strict=True)
        )

    def to_bytes(self) -> bytes:
        """Return all of it in 650 bytes."""
        return self.plain.tobytes() + self.mirrored.tobytes() + self.telling.astype(np.uint8).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Fingerprint:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: the length is wrong.
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
    """Two GIFs that show the same seconds.

    Attributes:
        first: position of one.
        second: position of the other, after the first.
        distance: share of differing bits, in 0..1.
    """

    first: int
    second: int
    distance: float


def near_pairs(prints: Sequence[Fingerprint], *, limit: float = SAME) -> tuple[Pair, ...]:
    """Return all pairs up to a distance, plain or one of them mirrored, sorted by their positions."""
    found: dict[tuple[int, int], float] = {}
    for rows, columns, distances in _near(prints, limit):
        for row, column, distance in zip(rows.tolist(), columns.tolist(), distances.tolist(), strict=True):
            key = (min(row, column), max(row, column))
            if row != column:
                found[key] = min(distance, found.get(key, 1.0))
    return tuple(Pair(*key, round(distance, 6)) for key, distance in sorted(found.items()))


def _near(
    prints: Sequence[Fingerprint], limit: float
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]]:
    """Yield rows, columns and distances up to the limit, block by block; a pair may occur four times."""
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
    """Return the distance of each GIF of a to each of b, float32 [a, b] in 0..1."""
    agreement = a.reshape(-1, HASH_BITS) @ b.reshape(-1, HASH_BITS).T
    apart = ((HASH_BITS - agreement) / (2 * HASH_BITS)).reshape(len(a), CLIP_FRAMES, len(b), CLIP_FRAMES)
    apart[~(telling_a[:, :, None, None] & telling_b[None, None])] = 2  # farther than anything
    forth = np.where(telling_a[:, :, None], apart.min(axis=3), 0).sum(axis=1) / telling_a.sum(axis=1)[:, None]
    back = np.where(telling_b[None], apart.min(axis=1), 0).sum(axis=2) / telling_b.sum(axis=1)
    return np.asarray(np.minimum(forth, back), dtype=np.float32)


def group(
    entries: Sequence[Entry], prints: Sequence[Fingerprint]
) -> tuple[tuple[Entry, ...], tuple[Refused, ...]]:
    """Join the groups of GIFs that look the same, and set aside GIFs of two shows.

    Args:
        entries: in any order; entries of one group stay together, and an id may occur under several shows.
        prints: fingerprint of each.

    Returns:
        The usable entries, each with the first name among its joined groups; and those that another show
        has too, as the same file, the same id or a near-duplicate.
    """
    pairs = [(pair.first, pair.second) for pair in near_pairs(prints)]
    for column in ("sha256", "id"):
        pairs += same([getattr(entry, column) for entry in entries])
    others: dict[int, set[str]] = defaultdict(set)
    for pair in pairs:
        for one, other in (pair, pair[::-1]):
            if entries[one].show != entries[other].show:
                others[one].add(f"{entries[other].id} of {entries[other].show}")
    kept, refused = [], []
    for place, (entry, name) in enumerate(
        zip(entries, _joined([entry.group for entry in entries], pairs), strict=True)
    ):
        if place in others:
            message = f"it is the same as {', '.join(sorted(others[place]))}"
            refused.append(Refused(entry.id, entry.show, entry.address, UNDER_TWO_SHOWS, message))
        else:
            kept.append(dataclasses.replace(entry, group=name))
    return tuple(kept), tuple(refused)


def regroup(rows: Sequence[Row], prints: Sequence[Fingerprint]) -> tuple[tuple[Row, ...], tuple[Pair, ...]]:
    """Join the groups of a manifest whose GIFs look the same.

    Returns:
        The rows, in order, each with the first name among its joined groups; and the near-duplicates that
        were in two groups, as positions of rows.
    """
    crossing = tuple(pair for pair in near_pairs(prints) if rows[pair.first].group != rows[pair.second].group)
    names = _joined([row.group for row in rows], [(pair.first, pair.second) for pair in crossing])
    joined = (dataclasses.replace(row, group=name) for row, name in zip(rows, names, strict=True))
    return tuple(joined), crossing


def rewrite_groups(path: Path, out: Path, groups: Sequence[str]) -> None:
    """Write a manifest with other groups; its other columns stay.

    Args:
        path: of a manifest that `read_manifest` accepts.
        out: file to write, perhaps the same; paths of GIFs become relative to another folder of it.
        groups: of each row.
    """
    columns, lines = read_lines(path)
    folder = path.resolve().parent
    for (_, line), group in zip(lines, groups, strict=True):
        if out.resolve().parent != folder:
            line["path"] = relative_path(folder / line["path"].strip(), out.parent)
        line["group"] = group
    try:
        write_csv(out, columns, [[line[name] for name in columns] for _, line in lines])
    except OSError as error:
        raise InvalidManifest(str(out), f"it cannot be written: {os_reason(error)}") from error


def _joined(groups: Sequence[str], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """Return the group of each GIF after joining pairs: the first name among those joined."""
    numbers = number_components(len(groups), [*pairs, *same(groups)]).tolist()
    names: dict[int, str] = {}
    for number, name in zip(numbers, groups, strict=True):
        names[number] = min(names.get(number, name), name)
    return [names[number] for number in numbers]
