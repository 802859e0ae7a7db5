"""What held-out models say of every frame: **a learner** -> the same learning -> **answers by frame**."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.clips import Clips
from training.data.splits import components
from training.errors import InvalidOptions
from training.evaluation.crossvalidate import PLAIN, Array, HeldOut, Learner, Numbers
from training.evaluation.materials import Materials
from training.fit.trainer import Trained
from training.network.head import Answer

_LEAST = 1e-12  # of a probability, before its logarithm
NO_SHOW = -1  # label of a clip whose show the model cannot know


class Framewise:
    """A learner whose logits are those of each frame, [clip, frame, show]; their mean is the clip's.

    Args:
        learner: learns and answers.
        home: where the learner's own trainings lie, so that they are not done twice.

    Attributes:
        clips: all that may be learned from.
    """

    def __init__(self, learner: Learner, home: Path) -> None:
        self.clips, self._learner, self._home = learner.clips, learner, home

    def train(self, indices: Numbers, folder: Path) -> Trained:
        """Learn as the learner does.

        Raises:
            InvalidOptions: what it learns is not the mean of what it says of the frames.
        """
        trained = self._learner.train(indices, self._home / folder.name)
        if not trained.head.divides:
            raise InvalidOptions(
                "recipe", expected="one whose logits are the mean of its frames'", found="other"
            )
        return trained

    def answer(self, trained: Trained, clips: Clips) -> Answer:
        """Answer any clips, uncalibrated, frame by frame."""
        answer = self._learner.answer(trained, clips)
        logits = np.log(np.maximum(answer.frame_probabilities, _LEAST))
        return answer._replace(logits=logits)


@dataclass(frozen=True, eq=False)
class Judged:
    """Clips of known and of unknown shows, each answered frame by frame by a model that had not seen it.

    Attributes:
        logits: float32 [clip, 10, show].
        labels: int [clip], number of the show, or `NO_SHOW`.
        fold: int [clip], of the model that answered.
        group: int [clip], equal for clips of one scene, which are not independent.
    """

    logits: Array
    labels: Numbers
    fold: Numbers
    group: Numbers

    @classmethod
    def of(cls, held: HeldOut, materials: Materials) -> Judged:
        """Put together what a `Framewise` learner said of known and unknown clips."""
        names = [PLAIN, *materials.unknown]
        count = int(materials.fold.max()) + 1
        labels, folds, groups = [materials.clips.labels], [materials.fold], [materials.group]
        for clips in materials.unknown.values():
            labels.append(np.full(len(clips), NO_SHOW))
            folds.append(np.arange(len(clips)) % count)  # as `cross_validate` deals them
            groups.append(components(clips.rows, "group") + groups[-1].max() + 1)
        return cls(
            np.concatenate([held.logits[name] for name in names]),
            np.concatenate(labels),
            np.concatenate(folds),
            np.concatenate(groups),
        )

    def choose(self, clips: NDArray[np.bool_]) -> Judged:
        """Some of the clips, bool [clip]."""
        return Judged(self.logits[clips], self.labels[clips], self.fold[clips], self.group[clips])

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether a clip is of a show that the models know, bool [clip]."""
        return np.asarray(self.labels != NO_SHOW)
