"""The fit: **clips, FitOptions** -> answers by fold -> temperature, threshold -> **FittedModel**.

Temperature and threshold are fitted on clips that were not learned from: the clips are dealt into folds by
source, each fold is answered by a model of the others, and what these say together is what is calibrated.
The last model learns from all clips. Each fold's answers are kept in the run's folder, so that an
interrupted fit goes on.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from services.preprocess import PIXELS_VERSION
from training.data.augment import AUGMENT_VERSION
from training.data.clips import Clips
from training.data.splits import folds
from training.errors import InvalidRun, SplitImpossible
from training.files import write_text
from training.fit.crossvalidate import HeldOut, cross_validate
from training.fit.hardware import Accelerator
from training.fit.operating import Operating, find_operating
from training.fit.options import FitOptions, Hardware, Precision
from training.fit.trainer import Trained, Trainer
from training.network.backbone import Backbone
from training.network.head import Answer
from training.network.model import FittedModel

DEFAULT_HARDWARE = Hardware()
FOLDS = "folds"  # the folder of what models said that learned from a part of the clips
_logger = logging.getLogger(__name__)


def fit(
    clips: Clips,
    options: FitOptions,
    folder: Path,
    cache_dir: Path,
    *,
    backbone: Backbone | None = None,
    operating: Operating | None = None,
    hardware: Hardware = DEFAULT_HARDWARE,
    console: Console | None = None,
) -> FittedModel:
    """Fit a model to all clips, calibrated on answers to clips that were not learned from.

    Args:
        clips: to learn from, of at least two shows.
        options: of the fit.
        folder: of this run: `model.npz` is written to it, and what an interrupted fit needs to go on.
        cache_dir: where features are kept for other runs.
        backbone: the network; None loads the one that the options name.
        operating: temperature and thresholds that an evaluation of these options found; None
            finds them in folds of the clips.
        hardware: what fine-tuning computes with.
        console: shows progress; None is silent.

    Raises:
        InvalidRun: the folder holds a run of other clips or options.
        SplitImpossible: there are not enough sources for the folds.
        UnknownBackbone, WeightsUnavailable: as `load_backbone`; also for a block that is not there.
    """
    if len(clips.shows) < 2:
        raise SplitImpossible(f"a model of {len(clips.shows)} show; it takes two to tell apart")
    accelerator = None
    if options.tune.blocks:
        accelerator = Accelerator.start(hardware, say=console.log if console else _logger.info)
    _claim(folder, clips, options, accelerator.precision if accelerator else "float32")
    trainer = Trainer(clips, options, cache_dir, backbone=backbone, console=console, accelerator=accelerator)
    out_of_fold: dict[str, Any] = {}
    if operating is None:
        operating, out_of_fold = _calibrate(trainer, folder / FOLDS, console)
    trained = trainer.train(np.arange(len(clips)), folder / "final")
    fitted = FittedModel(
        backbone=options.backbone,
        shows=clips.shows,
        head=dataclasses.replace(trained.head, temperature=operating.temperature),
        unknown_threshold=operating.threshold,
        verdict=operating.verdict,
        kinds=clips.kinds,
        training_data_sha256=clips.digest,
        weights=trained.weights,
        facts=_facts(trainer, trained, out_of_fold),
    )
    fitted.save(folder / "model.npz")
    return fitted


def held_out(clips: Clips, options: FitOptions, folder: Path) -> HeldOut:
    """Read back what a finished fit said of each of its clips while it had not learned from its source.

    Raises:
        InvalidRun: the folder holds no finished folds of these clips.
    """
    dealt = folds(clips.rows, options.folds, seed=options.seed)
    return cross_validate(_Finished(clips, folder), dealt, folder / FOLDS)


@dataclass
class _Finished:
    """A learner of a fit that is finished: there is nothing to learn, all is on the disk."""

    clips: Clips
    folder: Path

    def train(self, indices: NDArray[np.intp], folder: Path) -> Trained:
        raise InvalidRun(str(self.folder), "its folds are not finished")

    def answer(self, trained: Trained, clips: Clips) -> Answer:
        raise InvalidRun(str(self.folder), "its folds are not finished")


def _calibrate(trainer: Trainer, folder: Path, console: Console | None) -> tuple[Operating, dict[str, Any]]:
    """Find temperature and thresholds on clips that were not learned from, and say how many were right."""
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


def _claim(folder: Path, clips: Clips, options: FitOptions, precision: Precision) -> None:
    """Note in the folder what it is a run of, or refuse when it is one of something else."""
    what = {
        "options": options.to_json(),
        "clips": clips.digest,
        "pixels": PIXELS_VERSION,
        "augmentations": AUGMENT_VERSION,
    }
    if precision != "float32":
        what["precision"] = precision
    text = json.dumps(what, indent=2)
    path = folder / "run.json"
    folder.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise InvalidRun(str(folder), "it holds a run of other data or settings; name another folder")
    write_text(path, text)


def _facts(trainer: Trainer, trained: Trained, out_of_fold: dict[str, Any]) -> dict[str, Any]:
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
        "history": list(trained.history),
    }
