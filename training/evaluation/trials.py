"""Judges several recipes on the same folds; the answers of finished folds are kept in the cache."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.console import Console

from services.inference import Classifier
from services.preprocess import PIXELS_VERSION
from training.data.augment import AUGMENT_VERSION
from training.data.clips import Clips
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.materials import LEFT_OUT, Materials
from training.evaluation.perturb import PERTURB_VERSION, PERTURBATIONS
from training.export.int8 import CALIBRATED, INT8_VERSION
from training.export.model_file import convert, metadata
from training.fit.crossvalidate import ALWAYS, HeldOut, cross_validate, run_name
from training.fit.recipes import BASELINE, CHOSEN, INT8, RECIPES, TRIALS
from training.fit.trainer import Trainer
from training.network.head import Answer, Head, Tap
from training.network.model import FittedModel
from training.statistics.openset import relative_mahalanobis

_LEAST = 1e-12  # of a probability, before its logarithm


def run_trial(name: str, materials: Materials, cache_dir: Path, *, console: Console | None = None) -> HeldOut:
    """Judge all clips by one recipe.

    The baseline sees the clips as most tutorials decode them. The chosen recipe also judges changed clips
    and clips of left-out shows. Finished folds are kept in the cache, so that an interrupted trial resumes.

    Args:
        name: one of `TRIALS`.
        materials: the clips to judge.
        cache_dir: for features, and for the finished folds.
        console: shows progress; None is silent.
    """
    options = RECIPES[CHOSEN if name == INT8 else name]
    settings = (
        options.to_json(),
        materials.clips.digest,
        materials.fold.tolist(),
        (PIXELS_VERSION, AUGMENT_VERSION, PERTURB_VERSION),
        name == BASELINE,
    )
    clips = materials.by_index() if name == BASELINE else materials.clips
    beside = None if name == BASELINE else RECIPES[CHOSEN]
    trainer = Trainer(clips, options, cache_dir, console=console, beside=beside)
    int8 = ("int8", INT8_VERSION) if name == INT8 else ()
    return cross_validate(
        Quantized(trainer) if name == INT8 else trainer,
        materials.fold,
        cache_dir / "trials" / run_name(*settings, *int8),
        changed=materials.all_changed() if name == CHOSEN else None,
        beside={LEFT_OUT: materials.left_out} if materials.left_out and name in (CHOSEN, INT8) else None,
        console=console,
    )


def run_trials(
    materials: Materials, names: Sequence[str], cache_dir: Path, *, console: Console | None = None
) -> Evaluation:
    """Judge all clips by several recipes and compare them.

    Args:
        materials: the clips to judge.
        names: of `TRIALS`; `BASELINE` and `CHOSEN` are always included.
        cache_dir: see `run_trial`.
        console: shows progress; None is silent.
    """
    answers = {}
    for name in TRIALS:
        if name in names or name in (BASELINE, CHOSEN):
            if console:
                console.log(f"recipe: {name}")
            answers[name] = run_trial(name, materials, cache_dir, console=console)
    return evaluate(
        answers,
        materials.judged,
        baseline=BASELINE,
        chosen=CHOSEN,
        stand_in=INT8 if INT8 in answers else None,
        changed=dict.fromkeys(PERTURBATIONS, materials.sample),
        left_out=LEFT_OUT if materials.left_out else None,
        mahalanobis=_frozen_distance(materials, cache_dir),
    )


def _frozen_distance(materials: Materials, cache_dir: Path) -> NDArray[np.float64]:
    """The relative Mahalanobis score of each judged clip, on features of the network alone, float64 [clip].

    The means and covariances are those of the known clips of the other folds.
    """
    options = RECIPES[CHOSEN]
    vectors = Trainer(materials.clips, options, cache_dir, beside=options).views[0][Tap("top")].mean(axis=1)
    labels, known, fold = materials.clips.labels, materials.clips.known, materials.fold
    scores = np.zeros(len(labels))
    for number in range(int(fold.max()) + 1):
        learned, inside = known & (fold != number), fold == number
        scores[inside] = relative_mahalanobis(vectors[inside], vectors[learned], labels[learned])
    return np.asarray(scores[fold != ALWAYS])


class Quantized:
    """A trainer whose models answer in int8, by the file that would be exported; the learning is the same.

    Args:
        trainer: learns.

    Attributes:
        clips: all that may be learned from.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.clips = trainer.clips
        self._trainer = trainer
        self._learned: NDArray[np.intp] = np.arange(0)
        self._quantized: tuple[Head, Classifier] | None = None

    def train(self, indices: NDArray[np.intp]) -> Head:
        """Learn from some of the clips; the ranges of int8 will be measured on some of these."""
        self._learned = indices
        return self._trainer.train(indices)

    def answer(self, head: Head, clips: Clips) -> Answer:
        """Answer any clips, uncalibrated, by the head that was trained last."""
        if self._quantized is None or self._quantized[0] is not head:
            self._quantized = head, self._quantize(head)
        classifier = self._quantized[1]
        found = [classifier.run(clips.frames(index)[np.newaxis]) for index in range(len(clips))]
        # They have the same softmax as the logits that the graph computes. A frame's familiarity is the
        # negative logit of "none of these" where logarithms of probabilities are those of the shows.
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

    def _quantize(self, head: Head) -> Classifier:
        """The model as it would be served."""
        some = np.linspace(0, len(self._learned) - 1, min(CALIBRATED, len(self._learned)), dtype=np.intp)
        ranges = (self.clips.frames(index) for index in self._learned[some])
        fitted = FittedModel(
            backbone=self._trainer.backbone.name,
            shows=self.clips.shows,
            head=head,
            unknown_threshold=0.0,
            verdict=None,
            kinds=None,
            training_data_sha256=self.clips.digest,
            facts={},
        )
        _, proto = convert(fitted, self._trainer.backbone, precision="int8", calibration=ranges)
        onnx.helper.set_model_props(proto, metadata(fitted, "judged", "not shipped"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "int8.onnx")
            onnx.save(proto, path)
            return Classifier(path)
