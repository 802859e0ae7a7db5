"""Fits a model to clips and writes it to the folder of the run.

Temperature and thresholds are found on answers to clips that were not learned from, by cross-validation in
folds of whole sources. The final model then learns from all clips. The answers of each fold are kept in the
run's folder, so that an interrupted fit resumes.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from services.files import write_text
from services.preprocess import PIXELS_VERSION
from training.data.augment import AUGMENT_VERSION
from training.data.clips import Clips
from training.data.splits import folds
from training.errors import InvalidRun, SplitImpossible
from training.fit.crossvalidate import HeldOut, cross_validate
from training.fit.operating import Operating, find_operating
from training.fit.options import FitOptions
from training.fit.trainer import Trainer
from training.network.backbone import Backbone
from training.network.head import Answer, Head
from training.network.model import FittedModel

FOLDS = "folds"  # folder of the cross-validation inside that of the run


def fit(
    clips: Clips,
    options: FitOptions,
    folder: Path,
    cache_dir: Path,
    *,
    backbone: Backbone | None = None,
    operating: Operating | None = None,
    console: Console | None = None,
) -> FittedModel:
    """Fit a model to all clips, calibrated on answers to clips that were not learned from.

    Args:
        clips: to learn from, of at least two shows.
        options: of the fit.
        folder: of this run: `model.npz` is written to it, and what an interrupted fit needs to resume.
        cache_dir: where features are kept for other runs.
        backbone: the network; None loads the one that the options name.
        operating: temperature and thresholds that an evaluation of these options found; None finds them by
            cross-validation.
        console: shows progress; None is silent.

    Raises:
        InvalidRun: the folder holds a run of other clips or options.
        SplitImpossible: there are not enough sources for the folds.
        UnknownBackbone, WeightsUnavailable: as `load_backbone`; also for a block that the network lacks.
    """
    if len(clips.shows) < 2:
        raise SplitImpossible(f"a model of {len(clips.shows)} show; it takes two to tell apart")
    _claim(folder, clips, options)
    trainer = Trainer(clips, options, cache_dir, backbone=backbone, console=console)
    out_of_fold: dict[str, Any] = {}
    if operating is None:
        operating, out_of_fold = _calibrate(trainer, folder / FOLDS, console)
    head = trainer.train(np.arange(len(clips)))
    base = trainer.teaching_base(head, operating.temperature)
    fitted = FittedModel(
        backbone=options.backbone,
        shows=clips.shows,
        head=dataclasses.replace(head, temperature=operating.temperature),
        unknown_threshold=operating.threshold,
        verdict=operating.verdict,
        kinds=clips.kinds,
        training_data_sha256=clips.digest,
        facts=_facts(trainer, out_of_fold),
        teaching="" if base is None else base.pack(),
    )
    fitted.save(folder / "model.npz")
    return fitted


def held_out(clips: Clips, options: FitOptions, folder: Path) -> HeldOut:
    """Read back the answers of a finished fit to its clips, by models that had not learned from their source.

    Raises:
        InvalidRun: the folder holds no finished folds of these clips.
    """
    dealt = folds(clips.rows, options.folds, seed=options.seed)
    return cross_validate(_Finished(clips, folder), dealt, folder / FOLDS)


@dataclass
class _Finished:
    """The learner of a finished fit, whose folds are all on disk."""

    clips: Clips
    folder: Path

    def train(self, indices: NDArray[np.intp]) -> Head:
        raise InvalidRun(str(self.folder), "its folds are not finished")

    def answer(self, head: Head, clips: Clips) -> Answer:
        raise InvalidRun(str(self.folder), "its folds are not finished")


def _calibrate(trainer: Trainer, folder: Path, console: Console | None) -> tuple[Operating, dict[str, Any]]:
    """Find temperature and thresholds by cross-validation, and the share of right answers in it."""
    clips, options = trainer.clips, trainer.options
    dealt = folds(clips.rows, options.folds, seed=options.seed)
    found = cross_validate(trainer, dealt, folder, console=console)
    fair = found.learnable & (found.labels < len(clips.shows))
    if not fair.any():
        raise SplitImpossible("no show has clips of two sources, so nothing can be tested fairly")
    used = fair | (found.labels == len(clips.shows))
    logits = found.of_clips()
    operating = find_operating(
        logits[used], found.labels[used], clips.shows, kinds=clips.kinds, refused=options.refused
    )
    right = (logits[:, : len(clips.shows)].argmax(axis=1) == found.labels)[fair]
    return operating, {"clips": int(fair.sum()), "top1": float(right.mean())}


def _claim(folder: Path, clips: Clips, options: FitOptions) -> None:
    """Write to run.json what the folder is a run of; refuse a folder of another run."""
    what = {
        "options": options.to_json(),
        "clips": clips.digest,
        "pixels": PIXELS_VERSION,
        "augmentations": AUGMENT_VERSION,
    }
    text = json.dumps(what, indent=2)
    path = folder / "run.json"
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_bytes() != text.encode():
        raise InvalidRun(str(folder), "it holds a run of other data or settings; name another folder")
    write_text(path, text)


def _facts(trainer: Trainer, out_of_fold: dict[str, Any]) -> dict[str, Any]:
    clips = trainer.clips
    return {
        "options": trainer.options.to_json(),
        "weights_source": trainer.backbone.source,
        "weights_licence": trainer.backbone.licence,
        "clips": len(clips),
        "set_aside": [[row.row.path.name, row.reason] for row in clips.set_aside],
        "by_show": {
            show: {
                "clips": sum(row.show == show for row in clips.rows),
                "sources": len({row.source for row in clips.rows if row.show == show}),
            }
            for show in clips.shows
        },
        "out_of_fold": out_of_fold,
    }
