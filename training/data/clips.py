"""Decodes the GIFs of a manifest into clips with labels, and caches them on disk.

services.preprocess decodes them, so training and serving see the same pixels. The cache holds .npy files that
are named by the digest of the GIF, in a folder that is named by `PIXELS_VERSION`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from services.errors import AnalyzerError
from services.files import replacing
from services.preprocess import PIXELS_VERSION, Budget, decode_gif
from services.reading import read_gif
from training.data.manifest import Row
from training.errors import InvalidManifest


@dataclass(frozen=True)
class SetAside:
    """An unusable row.

    Attributes:
        row: of the manifest.
        reason: of services.errors, UPPER_SNAKE_CASE.
        message: for people.
    """

    row: Row
    reason: str
    message: str


@dataclass(frozen=True, eq=False)
class Clips:
    """Decoded clips with their labels.

    Attributes:
        rows: of the manifest, without unusable ones.
        digests: SHA-256 of each GIF.
        files: .npy file of each clip, uint8 [10, 224, 224, 3].
        set_aside: unusable rows.
    """

    rows: tuple[Row, ...]
    digests: tuple[str, ...]
    files: tuple[Path, ...]
    set_aside: tuple[SetAside, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shows(self) -> tuple[str, ...]:
        """Titles of the shows to recognise, sorted: the order of a model's outputs."""
        return tuple(sorted({row.show for row in self.rows if not row.other}))

    @property
    def labels(self) -> NDArray[np.intp]:
        """Index of each row's show in `shows`, int [clip]; `len(shows)` for a clip of none of them."""
        place = {show: number for number, show in enumerate(self.shows)}
        return np.array([len(place) if row.other else place[row.show] for row in self.rows], dtype=np.intp)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether each clip is of one of `shows`, bool [clip]."""
        return np.array([not row.other for row in self.rows], dtype=bool)

    @property
    def kinds(self) -> dict[str, str] | None:
        """Kind of picture by show; None unless every show has one.

        Raises:
            InvalidManifest: a show has two kinds.
        """
        found: dict[str, set[str]] = {show: set() for show in self.shows}
        for row in self.rows:
            if not row.other and row.kind:
                found[row.show].add(row.kind)
        for show, kinds in found.items():
            if len(kinds) > 1:
                raise InvalidManifest("manifest", f"{show} has two kinds: {', '.join(sorted(kinds))}")
        return {show: kinds.pop() for show, kinds in found.items()} if all(found.values()) else None

    @property
    def digest(self) -> str:
        """SHA-256 of the data set: the digests of the GIFs with show, group and source, in any order."""
        lines = sorted(
            "\t".join((digest, "" if row.other else row.show, row.group, row.source))
            for digest, row in zip(self.digests, self.rows, strict=True)
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def frames(self, index: int) -> NDArray[np.uint8]:
        """Return the frames of one clip, uint8 [10, 224, 224, 3], mapped from disk."""
        frames: NDArray[np.uint8] = np.load(self.files[index], mmap_mode="r")
        return frames

    def choose(self, indices: Sequence[int] | NDArray[np.intp]) -> Clips:
        """Return the clips at these indices, in this order."""
        return Clips(
            rows=tuple(self.rows[i] for i in indices),
            digests=tuple(self.digests[i] for i in indices),
            files=tuple(self.files[i] for i in indices),
        )

    def beside(self, others: Clips) -> Clips:
        """Return these clips followed by others."""
        return Clips(
            rows=self.rows + others.rows,
            digests=self.digests + others.digests,
            files=self.files + others.files,
            set_aside=self.set_aside + others.set_aside,
        )


def load_clips(rows: Sequence[Row], cache_dir: Path, *, console: Console | None = None) -> Clips:
    """Decode every GIF that is not in the cache yet; an interrupted call may be repeated.

    Args:
        rows: of a manifest.
        cache_dir: folder of the cache, 1.5 MB for each clip; made if missing.
        console: shows progress; None is silent.

    Raises:
        InvalidManifest: none of the rows is usable.
    """
    usable: list[tuple[Row, str, Path]] = []
    set_aside: list[SetAside] = []
    folder = cache_dir / f"clips-{PIXELS_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    watched = track(rows, "decoding", console=console, transient=True) if console else rows
    for row in watched:
        try:
            usable.append((row, *_decode_once(row.path, folder)))
        except AnalyzerError as error:
            set_aside.append(SetAside(row, error.reason, error.message))
    if not usable:
        first = set_aside[0].message if set_aside else "there is none"
        raise InvalidManifest("manifest", f"none of {len(rows)} GIFs can be used; the first: {first}")
    kept, digests, files = zip(*usable, strict=True)
    return Clips(kept, digests, files, tuple(set_aside))


def _decode_once(path: Path, folder: Path) -> tuple[str, Path]:
    gif = read_gif(path, most=Budget().max_bytes)
    digest = hashlib.sha256(gif).hexdigest()
    file = folder / f"{digest}.npy"
    if not file.exists():
        clip = decode_gif(gif)
        with replacing(file) as partial:
            np.save(partial, clip.frames)
    return digest, file
