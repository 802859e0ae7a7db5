"""A model judged as it would be served in int8: **a trainer** -> the same learning -> **int8's answers**.

What answers is the file that would be exported, run by services.inference: nothing is imitated.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from services.inference import Classifier
from training.data.clips import Clips
from training.export.int8 import CALIBRATED
from training.export.model_file import convert, metadata
from training.fit.trainer import Trained, Trainer
from training.network.backbone import Backbone, load_backbone
from training.network.head import Answer
from training.network.model import FittedModel

_LEAST = 1e-12  # of a probability, before its logarithm


class Quantized:
    """A trainer whose models answer in int8; the learning is the same.

    Args:
        trainer: learns.
        home: where the trainer's own trainings lie, so that they are not done twice.
        fresh: loads the trainer's network once more, as it was before it learned; None does so by its name.

    Attributes:
        clips: all that may be learned from.
    """

    def __init__(self, trainer: Trainer, home: Path, *, fresh: Callable[[], Backbone] | None = None) -> None:
        self.clips = trainer.clips
        self._trainer, self._home = trainer, home
        self._fresh = fresh or (lambda: load_backbone(trainer.backbone.name))
        self._learned: NDArray[np.intp] = np.arange(0)
        self._served: tuple[Trained, Classifier] | None = None

    def train(self, indices: NDArray[np.intp], folder: Path) -> Trained:
        """Learn from some of the clips; the ranges of int8 will be measured on some of these."""
        self._learned = indices
        return self._trainer.train(indices, self._home / folder.name)

    def answer(self, trained: Trained, clips: Clips) -> Answer:
        """Answer any clips, uncalibrated, by the model that was trained last."""
        if self._served is None or self._served[0] is not trained:
            self._served = trained, self._quantize(trained)
        classifier = self._served[1]
        found = [classifier.run(clips.frames(index)[np.newaxis]) for index in range(len(clips))]
        # Of the same softmax as the logits within; a frame's familiarity is measured from the same zero.
        votes = np.concatenate([each.frame_probabilities for each in found])
        logits = np.log(np.maximum(votes, _LEAST))
        familiar = None
        if all(each.frame_familiarity is not None for each in found):
            familiar = np.concatenate([each.frame_familiarity for each in found])
            logits = np.concatenate([logits, -familiar[..., np.newaxis]], axis=-1)
        return Answer(
            np.concatenate([each.probabilities for each in found]),
            votes,
            np.concatenate([each.embedding for each in found]),
            np.concatenate([each.familiarity for each in found]),
            familiar,
            logits,
        )

    def _quantize(self, trained: Trained) -> Classifier:
        """The model as it would be served, loaded."""
        some = np.linspace(0, len(self._learned) - 1, min(CALIBRATED, len(self._learned)), dtype=np.intp)
        ranges = (self.clips.frames(index) for index in self._learned[some])
        fitted = FittedModel(
            backbone=self._trainer.backbone.name,
            shows=self.clips.shows,
            head=trained.head,
            unknown_threshold=0.0,
            verdict=None,
            kinds=None,
            training_data_sha256=self.clips.digest,
            weights=trained.weights,
            facts={},
        )
        _, proto = convert(fitted, self._fresh(), precision="int8", calibration=ranges)
        onnx.helper.set_model_props(proto, metadata(fitted, "judged", "not shipped"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "int8.onnx")
            onnx.save(proto, path)
            return Classifier(path)
