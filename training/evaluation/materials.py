"""The clips of an evaluation: those that are judged in folds, changed copies of them, and left-out shows.

A show is judged if at least three sources have it, so that one can be held out and the others learned from.
Clips of other things are dealt into the same folds, and learned from as "none of these". Drawn pictures are
learned from in every fold. Shows of fewer sources are never learned from: they test clips that are unlike
anything that was learned.
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
from services.files import replacing
from services.preprocess import PIXELS_VERSION, decode_gif
from training.data.clips import Clips, load_clips
from training.data.drawn import draw_gifs
from training.data.manifest import Row, as_others
from training.data.splits import folds
from training.evaluation.perturb import PERTURB_VERSION, PERTURBATIONS, perturb
from training.fit.crossvalidate import ALWAYS

MIN_SOURCES = 3
FOLDS = 8
CHANGED_EVERY = 3  # changing a GIF takes longer than anything else, so only every third is changed
LEFT_OUT = "shows left out"

Frames = NDArray[np.uint8]


class Materials:
    """All clips of one evaluation.

    Args:
        known: rows of the known shows.
        others: rows of other things.
        cache_dir: where clips are kept.
        seed: of the folds.
        console: shows progress; None is silent.

    Attributes:
        clips: of the shows that are judged, of other things, and drawn ones.
        fold: of each clip, int [clip], whole sources with groups kept together; `ALWAYS` for drawn ones.
        sample: numbers of the clips that are changed, int [changed clip].
        left_out: clips of shows that are not learned from; None if there are none.

    Raises:
        InvalidManifest: no clip can be used.
        SplitImpossible: there are fewer independent sources than folds.
    """

    def __init__(
        self,
        known: Sequence[Row],
        others: Sequence[Row],
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
        left_out = as_others(row for row in known if len(sources[row.show]) < MIN_SOURCES)
        real = load_clips([*judged, *as_others(others)], cache_dir, console=console)
        drawn = load_clips(draw_gifs(cache_dir), cache_dir) if others else None
        self.clips = real.beside(drawn) if drawn else real
        self.fold = np.full(len(self.clips), ALWAYS)
        self.fold[: len(real)] = folds(real.rows, FOLDS, seed=seed)
        self.sample = np.flatnonzero(self.clips.known)[::CHANGED_EVERY]
        self.left_out = load_clips(left_out, cache_dir, console=console) if left_out else None

    @property
    def judged(self) -> Clips:
        """The clips that are judged: all except the drawn ones."""
        return self.clips.choose(np.flatnonzero(self.fold != ALWAYS))

    def changed(self, name: str) -> Clips:
        """The clips of the sample, each GIF changed by `training.evaluation.perturb` and decoded again."""
        clips = self.clips.choose(self.sample)
        folder = f"changed-{name.replace(' ', '_')}-{PIXELS_VERSION}-{PERTURB_VERSION}"
        return self._remade(clips, folder, lambda gif: decode_gif(perturb(gif, name)).frames)

    def all_changed(self) -> dict[str, tuple[NDArray[np.intp], Clips]]:
        """The numbers of the sample and `changed`, for every perturbation."""
        return {name: (self.sample, self.changed(name)) for name in PERTURBATIONS}

    def by_index(self) -> Clips:
        """All clips as most tutorials decode them; see the function `by_index`."""
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
    """Ten frames at equal steps of their index, padded to a black square, uint8 [10, 224, 224, 3]."""
    frames = []
    with Image.open(io.BytesIO(gif)) as image:
        count = getattr(image, "n_frames", 1)
        for position in range(CLIP_FRAMES):
            image.seek(position * count // CLIP_FRAMES)
            frames.append(np.asarray(ImageOps.pad(image.convert("RGB"), (CLIP_SIZE, CLIP_SIZE))))
    return np.stack(frames)
