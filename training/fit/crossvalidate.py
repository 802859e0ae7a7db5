"""Cross-validation: every clip is judged by a model that has not seen its source.

For each fold in turn a model learns from the other folds and answers this fold's clips. The answers of each
fold are a file of their own, so that an interrupted run resumes after the last finished fold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from services.files import replacing
from training.data.clips import Clips
from training.network.head import Answer, Array, Head

Numbers = NDArray[np.intp]
PLAIN = "plain"  # the material of the judged clips as they are
ALWAYS = -1  # fold of a clip that every model learns from, and that is not judged


class Learner(Protocol):
    """What `cross_validate` needs of a trainer; see `training.fit.trainer.Trainer`."""

    clips: Clips

    def train(self, indices: Numbers) -> Head:
        """Learn from some of the clips."""

    def answer(self, head: Head, clips: Clips) -> Answer:
        """Answer clips, whether they were learned from or not; uncalibrated."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Answers of models that had not seen the clip, its group or its source.

    Attributes:
        fold: of each judged clip, int [clip].
        labels: of each judged clip, int [clip]; the number of shows for a clip of other things.
        learnable: whether the models that judged the clip learned from other clips of its show, bool [clip];
            if not, they cannot name it.
        logits: material -> float [clip, frame, output], before any temperature; their mean over the
            frames is the clip's. `PLAIN` are the judged clips as they are.
    """

    fold: Numbers
    labels: Numbers
    learnable: NDArray[np.bool_]
    logits: Mapping[str, NDArray[np.floating[Any]]]

    def of_clips(self, material: str = PLAIN) -> NDArray[np.float64]:
        """Logits of whole clips, float64 [clip, output]."""
        return np.asarray(self.logits[material].astype(np.float64).mean(axis=1))

    def folds(self) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """The number of each fold, and whether each clip is in it, bool [clip]."""
        for fold in range(int(self.fold.max()) + 1):
            yield fold, self.fold == fold


def cross_validate(
    learner: Learner,
    folds: Numbers,
    folder: Path,
    *,
    changed: Mapping[str, tuple[Numbers, Clips]] | None = None,
    beside: Mapping[str, Clips] | None = None,
    console: Console | None = None,
) -> HeldOut:
    """Judge every clip by a model that learned from the other folds.

    Args:
        learner: learns and answers.
        folds: int [clip], the fold of each of its clips; `ALWAYS` for those that every model learns from.
        folder: for the finished folds of this learner and these materials alone.
        changed: material -> numbers of some of the judged clips, and these clips changed; each is judged by
            the model of its fold.
        beside: material -> other clips; clip i is judged by the model of fold i modulo the number of folds.
        console: shows progress; None is silent.
    """
    count = int(folds.max()) + 1
    folder.mkdir(parents=True, exist_ok=True)
    materials: dict[str, tuple[Clips, list[Numbers]]] = {
        PLAIN: (learner.clips, [np.flatnonzero(folds == fold) for fold in range(count)])
    }
    for name, (numbers, clips) in (changed or {}).items():
        materials[name] = clips, [np.flatnonzero(folds[numbers] == fold) for fold in range(count)]
    for name, clips in (beside or {}).items():
        materials[name] = clips, [np.arange(fold, len(clips), count) for fold in range(count)]
    parts = []
    for fold in range(count):
        if console:
            console.log(f"fold {fold + 1} of {count}")
        share = {name: clips.choose(places[fold]) for name, (clips, places) in materials.items()}
        parts.append(_judge(learner, np.flatnonzero(folds != fold), share, folder / f"fold{fold:02d}.npz"))
    logits = {}
    for name, (_, places) in materials.items():
        order = np.argsort(np.concatenate(places))
        logits[name] = np.concatenate([part[name] for part in parts if len(part[name])])[order]
    labels = learner.clips.labels
    learnable = np.zeros(len(labels), bool)
    for fold in range(count):
        inside = folds == fold
        learnable[inside] = np.isin(labels[inside], labels[~inside])
    judged = np.flatnonzero(folds != ALWAYS)
    return HeldOut(folds[judged], labels[judged], learnable[judged], logits)


def _judge(learner: Learner, learned: Numbers, share: Mapping[str, Clips], path: Path) -> dict[str, Array]:
    """The answers of one fold, from disk if they are there."""
    if not path.exists():
        head = learner.train(learned)
        found = {
            name: np.asarray(learner.answer(head, clips).frame_logits, np.float32)
            if len(clips)
            else np.zeros((0, 0, 0), np.float32)
            for name, clips in share.items()
        }
        with replacing(path) as partial:
            np.savez(partial, **found)  # type: ignore[arg-type]
    with np.load(path) as saved:
        return {name: saved[name] for name in saved.files}


def run_name(*settings: object) -> str:
    """A folder name that differs where the settings differ: the first digits of a SHA-256."""
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
