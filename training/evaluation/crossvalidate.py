"""Every clip judged by a model that has not seen its source.

    clips in folds + a trainer -> `cross_validate` -> **HeldOut**: what was said of every clip

One fold after another: learn from the other folds, then judge this fold's clips, the same clips changed as
the web changes them, and a share of the clips of shows that the model cannot know. Each fold's answers are a
file of their own: an interrupted run goes on behind the last one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.data.clips import Clips
from training.files import replacing
from training.fit.trainer import Trained
from training.network.head import Answer

Array = NDArray[np.float32]
Numbers = NDArray[np.intp]
PLAIN = "plain"


class Learner(Protocol):
    """What `cross_validate` asks of a trainer; see `training.fit.trainer.Trainer`."""

    clips: Clips

    def train(self, indices: Numbers, folder: Path) -> Trained:
        """Learn from some of the clips."""

    def answer(self, trained: Trained, clips: Clips) -> Answer:
        """Answer any clips."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Answers of models that had not seen the clip, its group or its source.

    Attributes:
        folds: the fold of each known clip, [clip].
        logits: material -> float32 [clip, show], or [clip, frame, show] of a learner that answers so;
            "plain" are the known clips as they are, other materials are a sample of them, changed, or clips
            of unknown shows.
        nearest: material -> float32 [clip], cosine to the nearest clip that was learned from.
    """

    folds: Numbers
    logits: Mapping[str, Array]
    nearest: Mapping[str, Array]


def cross_validate(
    learner: Learner,
    folds: Numbers,
    folder: Path,
    *,
    sample: Numbers | None = None,
    changed: Mapping[str, Clips] | None = None,
    unknown: Mapping[str, Clips] | None = None,
) -> HeldOut:
    """Judge every clip by a model that learned from the other folds.

    Args:
        learner: learns and answers.
        folds: [clip], the fold of each of its clips.
        folder: for the finished folds of this learner and these materials alone.
        sample: numbers of the clips that were changed; None for all.
        changed: material -> the clips of the sample, changed.
        unknown: material -> other clips; clip i is judged by the model of fold i modulo the number of folds.
    """
    count = int(folds.max()) + 1
    folder.mkdir(parents=True, exist_ok=True)
    places: dict[str, list[Numbers]] = {}
    materials: dict[str, Clips] = {PLAIN: learner.clips, **(changed or {})}
    for name in materials:
        of_clips = folds if name == PLAIN or sample is None else folds[sample]
        places[name] = [np.flatnonzero(of_clips == fold) for fold in range(count)]
    for name, clips in (unknown or {}).items():
        materials[name] = clips
        places[name] = [np.arange(fold, len(clips), count) for fold in range(count)]
    parts = []
    for fold in range(count):
        share = {name: clips.choose(places[name][fold]) for name, clips in materials.items()}
        parts.append(_judge(learner, np.flatnonzero(folds != fold), share, folder / f"fold{fold:02d}.npz"))
    logits, nearest = {}, {}
    for name, of_folds in places.items():
        order = np.argsort(np.concatenate(of_folds))
        said = [part[f"{name}/logits"] for part in parts]
        logits[name] = np.concatenate([some for some in said if len(some)])[order]
        nearest[name] = np.concatenate([part[f"{name}/nearest"] for part in parts])[order]
    return HeldOut(folds, logits, nearest)


def _judge(learner: Learner, learned: Numbers, share: Mapping[str, Clips], path: Path) -> dict[str, Array]:
    """The answers of one fold, from disk if they are there."""
    if not path.exists():
        trained = learner.train(learned, path.with_suffix(""))
        found: dict[str, Array] = {}
        for name, clips in share.items():
            if len(clips):
                answer = learner.answer(trained, clips)
                logits, nearest = answer.logits, _nearest(trained, answer)
            else:
                logits, nearest = np.zeros((0, len(learner.clips.shows))), np.zeros(0, np.float32)
            found[f"{name}/logits"] = np.asarray(logits, np.float32)
            found[f"{name}/nearest"] = np.asarray(nearest, np.float32)
        with replacing(path) as partial:
            np.savez(partial, **found)  # type: ignore[arg-type]
    with np.load(path) as saved:
        return {name: saved[name] for name in saved.files}


def _nearest(trained: Trained, answer: Answer) -> Array:
    bank = trained.head.bank
    if bank is None:
        return np.zeros(len(answer.embedding), np.float32)
    return np.asarray(bank.nearest(answer.embedding), np.float32)


def run_name(*settings: object) -> str:
    """A folder's name that is another for other settings: the first digits of a SHA-256."""
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
