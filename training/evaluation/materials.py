"""The clips that an evaluation judges: **manifests** -> known clips in folds, changed ones, unknown ones.

A show is judged if at least three sources have it: one is held out, others are learned from. The other shows
of the manifest are never learned from here, so that their clips are unknown ones, as are those of the second
manifest.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rich.console import Console
from rich.progress import track

from services.clip import CLIP_FRAMES, CLIP_SIZE
from services.preprocess import PIXELS_VERSION, decode_gif
from training.data.clips import Clips, load_clips
from training.data.manifest import Row
from training.data.splits import components, folds
from training.evaluation.perturb import PERTURB_VERSION, PERTURBATIONS, perturb
from training.files import replacing

MIN_SOURCES = 3
FOLDS = 8
CHANGED_EVERY = 3  # to change a GIF takes longer than anything else: every third has to do
OTHER_SHOWS = "other shows"
LEFT_OUT = "shows left out"

Frames = NDArray[np.uint8]


class Materials:
    """All clips of one evaluation.

    Args:
        known: rows of the known shows.
        unknown: rows of other shows.
        cache_dir: where clips are kept.
        seed: of the folds.
        console: shows progress; None is silent.

    Attributes:
        clips: of the shows that are judged.
        fold: of each clip, int [clip], whole sources with groups kept together.
        group: of each clip, int [clip], number of the scene.
        sample: numbers of the clips that are changed, int [changed clip].
        unknown: clips of shows that are not learned from, by where they are from.

    Raises:
        InvalidManifest: no clip can be used.
        SplitImpossible: there are fewer independent sources than folds.
    """

    def __init__(
        self,
        known: Sequence[Row],
        unknown: Sequence[Row],
        cache_dir: Path,
        *,
        seed: int = 0,
        console: Console | None = None,
    ) -> None:
        self._cache_dir, self._console = cache_dir, console
        sources: dict[str, set[str]] = {}
        for row in known:
            sources.setdefault(row.show, set()).add(row.source)
        judged = [row for row in known if len(sources[row.show]) >= MIN_SOURCES]
        left_out = [row for row in known if len(sources[row.show]) < MIN_SOURCES]
        self.clips = load_clips(judged, cache_dir, console=console)
        self.fold = folds(self.clips.rows, FOLDS, seed=seed)
        self.group = components(self.clips.rows, "group")
        self.sample = np.arange(0, len(self.clips), CHANGED_EVERY)
        self.unknown = {
            name: load_clips(rows, cache_dir, console=console)
            for name, rows in ((OTHER_SHOWS, unknown), (LEFT_OUT, left_out))
            if rows
        }

    def changed(self, name: str) -> Clips:
        """The clips of the sample, each GIF changed by `training.evaluation.perturb` and decoded again."""
        clips = self.clips.choose(self.sample)
        folder = f"changed-{name.replace(' ', '_')}-{PIXELS_VERSION}-{PERTURB_VERSION}"
        return self._remade(clips, folder, lambda gif: decode_gif(perturb(gif, name)).frames)

    def all_changed(self) -> dict[str, Clips]:
        """`changed` for every perturbation."""
        return {name: self.changed(name) for name in PERTURBATIONS}

    def by_index(self) -> Clips:
        """All clips as most tutorials decode them, see `by_index`."""
        return self._remade(self.clips, "by-index", by_index)

    def _remade(self, clips: Clips, name: str, make: Callable[[bytes], Frames]) -> Clips:
        folder = self._cache_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{digest}.npy" for digest in clips.digests]
        todo = [number for number, file in enumerate(files) if not file.exists()]
        watched = track(todo, name, console=self._console, transient=True) if self._console else todo
        for number in watched:
            frames = make(clips.rows[number].path.read_bytes())
            with replacing(files[number]) as partial:
                np.save(partial, frames)
        return dataclasses.replace(clips, files=tuple(files))


def by_index(gif: bytes) -> Frames:
    """Ten frames at equal steps of their number, padded to a black square: uint8 [10, 224, 224, 3].

    It seeks with Pillow, and shows what Pillow shows.
    """
    frames = []
    with Image.open(io.BytesIO(gif)) as image:
        count = getattr(image, "n_frames", 1)
        for position in range(CLIP_FRAMES):
            image.seek(position * count // CLIP_FRAMES)
            frames.append(np.asarray(ImageOps.pad(image.convert("RGB"), (CLIP_SIZE, CLIP_SIZE))))
    return np.stack(frames)
