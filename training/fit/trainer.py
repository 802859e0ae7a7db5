"""Models of some of the clips: **clips, options** -> Trainer -> **a model of any part, and its answers**."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from training.data.clips import Clips
from training.data.splits import holdout
from training.data.view import MIRRORED, PLAIN, View
from training.fit.features import Extractor, Features
from training.fit.hardware import Accelerator
from training.fit.linear import Floats, fit_linear, fit_parts, sample_weights
from training.fit.options import FitOptions, Hardware
from training.fit.tuner import Tuner, cut_block
from training.network.backbone import Backbone, load_backbone
from training.network.head import Answer, Head, Linear, Part, describe
from training.statistics.calibration import fit_temperature

# What the output for other things counts of a ridge head, whose logits are no likelihoods. With a half, known
# and other clips are told apart better than with all of it: AUROC 0.810 in place of 0.794 in the folds.
_RIDGE_OTHERS = 0.5


@dataclass(frozen=True, eq=False)
class Trained:
    """A model that learned from some of the clips, not calibrated yet.

    Attributes:
        head: fitted.
        weights: of the network where they differ from the pretrained ones, by variable path.
        history: losses by epoch of fine-tuning, empty without it.
    """

    head: Head
    weights: dict[str, Floats]
    history: tuple[dict[str, float], ...] = ()


class Trainer:
    """Fits models to clips, any number of times, with one image network.

    Args:
        clips: all that may be learned from, clips of none of the shows among them.
        options: of the fit.
        cache_dir: where features are kept.
        backbone: the network; None loads the one that the options name.
        console: shows progress; None is silent.
        beside: options of another fit on the same network, whose features are taken along: fits that are
            given the same ones share their features.
        accelerator: what fine-tuning computes with; None takes one device.
    """

    def __init__(
        self,
        clips: Clips,
        options: FitOptions,
        cache_dir: Path,
        *,
        backbone: Backbone | None = None,
        console: Console | None = None,
        beside: FitOptions | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        self.clips, self.options, self._console = clips, options, console
        self._accelerator = accelerator or Accelerator.start(Hardware())
        self.backbone = backbone or load_backbone(options.backbone)
        wider = beside or options
        blocks = options.tune.blocks or wider.tune.blocks
        self._cut = cut_block(self.backbone, blocks) if blocks else None
        taps = tuple(dict.fromkeys((*wider.taps, *options.taps)))
        self._extractor = Extractor(self.backbone, taps, cache_dir, cut=self._cut, console=console)
        self._views: tuple[Features, ...] | None = None

    @property
    def views(self) -> tuple[Features, ...]:
        """Features of all clips under every view the options ask for, the plain one first."""
        if self._views is None:
            options = self.options
            wanted = [PLAIN, *([MIRRORED] if options.mirror else [])]
            wanted += [View(draw=draw, strength=options.strength) for draw in range(1, options.views + 1)]
            self._views = tuple(self._extractor.extract(self.clips, view) for view in wanted)
        return self._views

    @property
    def outputs(self) -> int:
        """How many logits a model gives: one a show, and one more where there are clips of none of them."""
        return len(self.clips.shows) + int(not self.clips.known.all())

    def train(self, indices: NDArray[np.intp], folder: Path) -> Trained:
        """Learn from some of the clips.

        Args:
            indices: places of the clips.
            folder: of this training alone, for what fine-tuning needs to go on after an interruption.
        """
        options, labels = self.options, self.clips.labels
        taps = {tap: values[indices] for tap, values in self.views[0].taps.items()}
        parts = fit_parts(options.parts, taps)
        weights = np.zeros(len(labels))
        weights[indices] = sample_weights(
            labels[indices],
            [self.clips.rows[index].source for index in indices],
            balance=options.balance,
            source_balance=options.source_balance,
        )
        others = self.outputs > len(self.clips.shows)
        if not options.tune.blocks:
            return Trained(Head(parts, self._fit_linear(parts, indices, weights), others), {})
        learn, held_out = self._hold_out(indices)
        tuner = self._tuner_of(parts)
        tuned = tuner.train(
            self.views,
            np.eye(self.outputs, dtype=np.float32)[labels],
            weights,
            train=learn,
            held_out=held_out,
            folder=folder,
            first=self._probe(parts, learn, weights) if options.tune.probe else None,
            console=self._console,
        )
        tuner.put({})  # the next training must begin where this one did
        return Trained(Head(parts, tuned.linear, others), tuned.weights, tuned.history)

    def answer(self, trained: Trained, clips: Clips, view: View = PLAIN) -> Answer:
        """What a trained model says of any clips under a view, uncalibrated."""
        features = self._extractor.extract(clips, view)
        if not trained.weights:
            answer: Answer = trained.head.answer(features.taps)
            return answer
        tuner = self._tuner_of(trained.head.parts)
        tuner.put(trained.weights)
        try:
            return trained.head.answer(tuner.upper_taps(features, range(len(clips))))
        finally:
            tuner.put({})

    def _tuner_of(self, parts: tuple[Part, ...]) -> Tuner:
        options = self.options
        return Tuner(
            self.backbone,
            parts,
            outputs=self.outputs,
            options=options.tune,
            seed=options.seed,
            accelerator=self._accelerator,
        )

    def _fit_linear(
        self, parts: tuple[Part, ...], indices: NDArray[np.intp], weights: NDArray[np.float64]
    ) -> Linear:
        options = self.options
        vectors = [
            describe(parts, {tap: values[indices] for tap, values in view.taps.items()}).mean(axis=1)
            for view in self.views
        ]
        linear = fit_linear(
            options.linear,
            np.concatenate(vectors),
            np.tile(self.clips.labels[indices], len(vectors)),
            outputs=self.outputs,
            regularisation=options.regularisation,
            weights=np.tile(weights[indices], len(vectors)),
        )
        if options.linear == "ridge" and self.outputs > len(self.clips.shows):
            linear.matrix[:, -1] *= _RIDGE_OTHERS
            linear.bias[-1] *= _RIDGE_OTHERS
        return linear

    def _probe(
        self, parts: tuple[Part, ...], indices: NDArray[np.intp], weights: NDArray[np.float64]
    ) -> Linear:
        """The linear head on the frozen network, its logits as large as the cross-entropy wants them.

        Where the clips leave that open, because all of them are named right, the logits stay as they are.
        """
        linear = self._fit_linear(parts, indices, weights)
        taps = {tap: values[indices] for tap, values in self.views[0].taps.items()}
        logits = linear.apply(describe(parts, taps).mean(axis=1))
        found = fit_temperature(logits, self.clips.labels[indices])
        scale = np.float32(1.0 if found.undetermined else 1 / found.temperature)
        return Linear(linear.matrix * scale, linear.bias * scale)

    def _hold_out(self, indices: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Clips to learn from and whole groups to stop early on."""
        tune = self.options.tune
        if not tune.patience:
            return indices, indices[:0]
        rows = [self.clips.rows[index] for index in indices]
        held = holdout(rows, tune.holdout, seed=self.options.seed)
        return indices[~held], indices[held]
