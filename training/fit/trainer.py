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
from training.files import replacing
from training.fit.features import Extractor, Features
from training.fit.hardware import Accelerator
from training.fit.linear import Floats, Labels, fit_bank, fit_linear, fit_parts, sample_weights
from training.fit.options import FitOptions, Hardware
from training.fit.tuner import Tuner, cut_block
from training.network.backbone import Backbone, load_backbone
from training.network.head import Answer, Head, Linear, Part, clip_vectors


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


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What models said of clips they did not learn from.

    Attributes:
        fold: of each clip, int [clip].
        labels: int [clip].
        logits: float32 [clip, show], by the model of the other folds.
        nearest: cosine to the nearest training clip, float32 [clip].
        learnable: whether the show has clips in other folds, bool [clip]; the others cannot be named rightly.
    """

    fold: NDArray[np.intp]
    labels: Labels
    logits: Floats
    nearest: Floats
    learnable: NDArray[np.bool_]


class Trainer:
    """Fits models to clips, any number of times, with one image network.

    Args:
        clips: all that may be learned from.
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

    def train(self, indices: NDArray[np.intp], folder: Path, *, targets: Floats | None = None) -> Trained:
        """Learn from some of the clips.

        Args:
            indices: places of the clips.
            folder: of this training alone, for what fine-tuning needs to go on after an interruption.
            targets: of all clips, float [clip, show], rows that sum to 1, to be learned in place of the
                labels, as in distillation; only fine-tuning can.
        """
        options, labels, shows = self.options, self.clips.labels, len(self.clips.shows)
        taps = {tap: values[indices] for tap, values in self.views[0].taps.items()}
        parts = fit_parts(options.parts, taps)
        weights = np.zeros(len(labels))
        weights[indices] = sample_weights(labels[indices], shows, options.balance)
        if options.tune.blocks:
            tuner = self._tuner_of(parts)
            learn, held_out = self._hold_out(indices)
            tuned = tuner.train(
                self.views,
                np.eye(shows, dtype=np.float32)[labels] if targets is None else targets,
                weights,
                train=learn,
                held_out=held_out,
                folder=folder,
                console=self._console,
            )
            taps = tuner.upper_taps(self.views[0], indices)
            tuner.put({})
            linear, network, history = tuned.linear, tuned.weights, tuned.history
        else:
            linear, network, history = self._fit_linear(parts, indices, weights), {}, ()
        bank = fit_bank(
            clip_vectors(parts, taps, options.pooling),
            labels[indices],
            shows=shows,
            options=options.neighbours,
            balance=options.balance,
        )
        head = Head(parts, linear, bank, options.pooling, 1.0, tuple(options.familiarity.items()))
        return Trained(head, network, history)

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

    def cross_validate(self, fold: NDArray[np.intp], folder: Path) -> OutOfFold:
        """Answer each fold by a model of the others; what lies in the folder already is done.

        Args:
            fold: of each clip, int [clip].
            folder: of this cross-validation alone.
        """
        labels = self.clips.labels
        logits = np.zeros((len(labels), len(self.clips.shows)), np.float32)
        nearest = np.zeros(len(labels), np.float32)
        learnable = np.zeros(len(labels), bool)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(int(fold.max()) + 1):
            inside, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
            learnable[inside] = np.isin(labels[inside], labels[others])
            path = folder / f"fold{number:02d}.npz"
            if not path.exists():
                if self._console:
                    self._console.log(f"fold {number + 1} of {int(fold.max()) + 1}: {len(inside)} clips")
                trained = self.train(others, folder / path.stem)
                answer = self.answer(trained, self.clips.choose(inside))
                bank = trained.head.bank
                cosines = bank.nearest(answer.embedding) if bank else np.zeros(len(inside))
                with replacing(path) as partial:
                    np.savez(partial, logits=answer.logits, nearest=cosines)
            with np.load(path) as file:
                logits[inside], nearest[inside] = file["logits"], file["nearest"]
        return OutOfFold(fold, labels, logits, nearest, learnable)

    def _tuner_of(self, parts: tuple[Part, ...]) -> Tuner:
        options = self.options
        return Tuner(
            self.backbone,
            parts,
            shows=len(self.clips.shows),
            options=options.tune,
            seed=options.seed,
            accelerator=self._accelerator,
        )

    def _fit_linear(
        self, parts: tuple[Part, ...], indices: NDArray[np.intp], weights: NDArray[np.float64]
    ) -> Linear:
        options = self.options
        vectors = [
            clip_vectors(parts, {tap: v[indices] for tap, v in view.taps.items()}, options.pooling)
            for view in self.views
        ]
        return fit_linear(
            options.linear,
            np.concatenate(vectors),
            np.tile(self.clips.labels[indices], len(vectors)),
            shows=len(self.clips.shows),
            regularisation=options.regularisation,
            weights=np.tile(weights[indices], len(vectors)),
        )

    def _hold_out(self, indices: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Clips to learn from and whole groups to stop early on."""
        tune = self.options.tune
        if not tune.patience:
            return indices, indices[:0]
        rows = [self.clips.rows[index] for index in indices]
        held = holdout(rows, tune.holdout, seed=self.options.seed)
        return indices[~held], indices[held]
