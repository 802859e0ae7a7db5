"""Several looks at the same clip: **a trainer, views** -> mean of their logits -> **one answer**."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.clips import Clips
from training.data.view import View
from training.fit.trainer import Trained, Trainer
from training.network.head import Answer


class SeveralLooks:
    """A trainer whose models look at each clip more than once; the learning is the same.

    Args:
        trainer: learns, and answers under one view.
        looks: the views, at least one. All of an answer but its logits is of the first.
        home: where the trainer's own trainings lie, so that they are not done twice.

    Attributes:
        clips: all that may be learned from.
    """

    def __init__(self, trainer: Trainer, looks: Sequence[View], home: Path) -> None:
        self.clips = trainer.clips
        self._trainer, self._looks, self._home = trainer, tuple(looks), home

    def train(self, indices: NDArray[np.intp], folder: Path) -> Trained:
        """Learn from some of the clips."""
        return self._trainer.train(indices, self._home / folder.name)

    def answer(self, trained: Trained, clips: Clips) -> Answer:
        """Answer any clips, uncalibrated."""
        answers = [self._trainer.answer(trained, clips, look) for look in self._looks]
        logits = np.mean([answer.logits for answer in answers], axis=0)
        return answers[0]._replace(logits=logits)
