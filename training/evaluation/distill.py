"""One model taught by several: **teachers' held-out answers, labels** -> soft targets -> **a student**.

The teachers' answers to a training clip come from models that did not learn from its source, or they would
only repeat the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.clips import Clips
from training.fit.trainer import Trained, Trainer
from training.network.head import Answer
from training.statistics.calibration import fit_temperature, softmax

TAUGHT = 0.5  # share of the target that is the teachers'; the rest is the label


class Distilled:
    """A trainer that learns from teachers as well.

    Args:
        student: learns; its recipe must fine-tune.
        teachers: of the same clips, any networks; without fine-tuning, for each is fitted once for every
            other fold.
        fold: of each clip, int [clip].

    Attributes:
        clips: all that may be learned from.
    """

    def __init__(self, student: Trainer, teachers: Sequence[Trainer], fold: NDArray[np.intp]) -> None:
        self.clips = student.clips
        self._student, self._teachers, self._fold = student, tuple(teachers), fold

    def train(self, indices: NDArray[np.intp], folder: Path) -> Trained:
        """Learn from some of the clips."""
        return self._student.train(indices, folder, targets=self._targets(indices, folder))

    def answer(self, trained: Trained, clips: Clips) -> Answer:
        """Answer any clips, as the student does alone."""
        return self._student.answer(trained, clips)

    def _targets(self, indices: NDArray[np.intp], folder: Path) -> NDArray[np.float32]:
        labels = self.clips.labels
        targets = np.eye(len(self.clips.shows), dtype=np.float32)[labels]
        taught = np.mean([self._held_out(teacher, indices, folder) for teacher in self._teachers], axis=0)
        targets[indices] = (1 - TAUGHT) * targets[indices] + TAUGHT * taught
        return targets

    def _held_out(self, teacher: Trainer, indices: NDArray[np.intp], folder: Path) -> NDArray[np.float64]:
        """Calibrated probabilities [index, show], each by a model of the other folds."""
        logits = np.zeros((len(indices), len(self.clips.shows)), np.float32)
        for fold in np.unique(self._fold[indices]):
            inside = self._fold[indices] == fold
            trained = teacher.train(indices[~inside], folder / "teacher")
            logits[inside] = teacher.answer(trained, self.clips.choose(indices[inside])).logits
        fitted = fit_temperature(logits, self.clips.labels[indices])
        return softmax(logits, temperature=fitted.temperature)
