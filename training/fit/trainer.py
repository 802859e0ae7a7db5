"""Fits heads to clips: means and deviations, weights of the clips, and a linear head on frozen features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from services.inference.library import TeachingBase, project
from training.data.clips import Clips
from training.data.view import MIRRORED, PLAIN, View
from training.fit.features import Extractor, TapValues
from training.fit.options import FitOptions, LinearKind, PartOptions
from training.network.backbone import Backbone, load_backbone
from training.network.head import Answer, Array, Head, Linear, Part, Tap, frame_vectors

Doubles = NDArray[np.float64]

_FAR = 1e3  # below all other logits, but near enough for a float32 to add up
# Factor on the output for other things of a ridge head, whose logits are no likelihoods. With a half, known
# and other clips are told apart better than with all of it: AUROC 0.810 instead of 0.794 in the folds.
RIDGE_OTHERS = 0.5


class Trainer:
    """Fits heads to any part of some clips, on the features of one frozen image network.

    Args:
        clips: all that may be learned from, clips of other things among them.
        options: of the fit.
        cache_dir: where features are kept.
        backbone: the network; None loads the one that the options name.
        console: shows progress; None is silent.
        beside: options of another fit on the same network. Features are extracted for the taps of both, so
            that fits that name the same options here share their features.
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
    ) -> None:
        self.clips, self.options = clips, options
        self.backbone = backbone or load_backbone(options.backbone)
        taps = tuple(dict.fromkeys((*(beside or options).taps, *options.taps)))
        self._extractor = Extractor(self.backbone, taps, cache_dir, console=console)
        self._views: tuple[TapValues, ...] | None = None

    @property
    def views(self) -> tuple[TapValues, ...]:
        """Tap values of all clips under every view that the options name, the plain one first."""
        if self._views is None:
            options = self.options
            wanted = [PLAIN, *([MIRRORED] if options.mirror else [])]
            wanted += [View(draw=draw, strength=options.strength) for draw in range(1, options.views + 1)]
            self._views = tuple(self._extractor.extract(self.clips, view) for view in wanted)
        return self._views

    @property
    def outputs(self) -> int:
        """Number of logits: one for each show, and one more if there are clips of other things."""
        return len(self.clips.shows) + int(not self.clips.known.all())

    def train(self, indices: NDArray[np.intp]) -> Head:
        """Fit a head to some of the clips, int [clip]; it is not calibrated."""
        options, labels = self.options, self.clips.labels[indices]

        def choose(view: TapValues) -> TapValues:  # a copy, up to a gigabyte: one view after another
            return {tap: values[indices] for tap, values in view.items()}

        parts = fit_parts(options.parts, choose(self.views[0]))
        weights = sample_weights(
            labels,
            [self.clips.rows[index].source for index in indices],
            balance=options.balance,
            source_balance=options.source_balance,
        )
        linear = fit_linear(
            options.linear,
            np.concatenate([frame_vectors(parts, choose(view)).mean(axis=1) for view in self.views]),
            np.tile(labels, len(self.views)),
            outputs=self.outputs,
            regularisation=options.regularisation,
            weights=np.tile(weights, len(self.views)),
        )
        others = self.outputs > len(self.clips.shows)
        if options.linear == "ridge" and others:
            linear.matrix[:, -1] *= RIDGE_OTHERS
            linear.bias[-1] *= RIDGE_OTHERS
        return Head(parts, linear, others)

    def teaching_base(self, head: Head, temperature: float) -> TeachingBase | None:
        """Measure what a model file keeps of the clips so that shows can be taught later.

        Args:
            head: fitted to all clips.
            temperature: that its logits will be divided by.

        Returns:
            None for a head that is not a ridge regression or knows no other things.
        """
        if self.options.linear != "ridge" or not head.others:
            return None
        sources = [row.source for row in self.clips.rows]
        weights = clip_weights(
            self.clips.labels,
            sources,
            balance=self.options.balance,
            source_balance=self.options.source_balance,
        )
        embeddings = short_embeddings(frame_vectors(head.parts, self.views[0]).mean(axis=1))
        return TeachingBase.of(embeddings, weights, temperature=temperature, others=RIDGE_OTHERS)

    def answer(self, head: Head, clips: Clips) -> Answer:
        """The uncalibrated answer of a head to any clips."""
        return head.answer(self._extractor.extract(clips))


def fit_parts(options: Sequence[PartOptions], taps: Mapping[Tap, Array]) -> tuple[Part, ...]:
    """Measure the means and deviations by which parts are standardised.

    Args:
        options: of each part.
        taps: values of the training clips' frames, float32 [clip, frame, n].
    """
    parts = []
    for option in options:
        tap = Tap.parse(option.tap)
        shift = scale = None
        if option.standardise:
            values = taps[tap].reshape(-1, taps[tap].shape[-1])
            mean = values.mean(axis=0, dtype=np.float64)
            # Not `values.std`: it would make a copy in float64, a gigabyte of covariances.
            squares = np.einsum("fn,fn->n", values, values, dtype=np.float64) / len(values)
            variance = np.maximum(squares - mean**2, 0)
            deviation = np.sqrt(variance) + 1e-3 * np.sqrt(variance.mean()) + 1e-12
            shift, scale = mean.astype(np.float32), (1 / deviation).astype(np.float32)
        parts.append(Part(tap, shift, scale, option.unit, option.weight))
    return tuple(parts)


def short_embeddings(vectors: Array) -> NDArray[np.int8]:
    """Return the vectors of clips as a library keeps them: int8 [clip, 256]."""
    return np.stack([project(vector) for vector in vectors])


def sample_weights(
    labels: NDArray[np.intp], sources: Sequence[str], *, balance: float, source_balance: float = 0.0
) -> Doubles:
    """`clip_weights`, divided by their mean."""
    weights = clip_weights(labels, sources, balance=balance, source_balance=source_balance)
    return np.asarray(weights / weights.mean(), np.float64)


def clip_weights(
    labels: NDArray[np.intp], sources: Sequence[str], *, balance: float, source_balance: float = 0.0
) -> Doubles:
    """Weights that are smaller for clips of large shows and of the large sources of a show.

    The only clip of a show has weight 1.

    Args:
        labels: int [clip].
        sources: publisher of each clip, [clip].
        balance: in 0..1; each clip's weight is divided by the number of its show's clips to this power.
        source_balance: in 0..1; and by the number of clips of its show and source to this power.
    """
    weights = np.bincount(labels)[labels] ** -balance
    if source_balance:
        pairs = list(zip(labels.tolist(), sources, strict=True))
        numbers = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
        codes = np.array([numbers[pair] for pair in pairs], dtype=np.intp)
        weights = weights * np.bincount(codes)[codes] ** -source_balance
    return np.asarray(weights, np.float64)


def fit_linear(
    kind: LinearKind,
    vectors: Array,
    labels: NDArray[np.intp],
    *,
    outputs: int,
    regularisation: float,
    weights: Doubles,
) -> Linear:
    """Fit a linear head.

    Args:
        kind: "ridge" regresses on one-hot labels in closed form; "logistic" minimises the cross-entropy.
        vectors: float32 [clip, d].
        labels: int [clip] in 0..outputs-1; an output without clips gets the lowest logit of all.
        outputs: number of logits.
        regularisation: ridge: share of the mean variance; logistic: 1 / C of scikit-learn, per unit of
            variance.
        weights: of each clip, mean 1.
    """
    inputs = vectors.astype(np.float64)
    if kind == "ridge":
        matrix, bias = _fit_ridge(inputs, np.eye(outputs)[labels], weights, regularisation)
    else:
        # By the variance, so that the setting means the same for vectors of any length.
        penalty = regularisation * max(float(vectors.var(axis=0).sum()), 1e-12)
        matrix, bias = np.zeros((vectors.shape[1], outputs)), np.zeros(outputs)
        present = np.unique(labels)
        if len(present) > 1:
            matrix[:, present], bias[present] = _fit_logistic(inputs, labels, weights, penalty)
    bias[~np.isin(np.arange(outputs), labels)] = -_FAR
    return Linear(np.ascontiguousarray(matrix, np.float32), np.ascontiguousarray(bias, np.float32))


def _fit_ridge(
    inputs: Doubles, targets: Doubles, weights: Doubles, regularisation: float
) -> tuple[Doubles, Doubles]:
    share = (weights / weights.sum())[:, np.newaxis]
    mean, target_mean = (share * inputs).sum(axis=0), (share * targets).sum(axis=0)
    root = np.sqrt(share)
    centred, aims = root * (inputs - mean), root * (targets - target_mean)
    clips, numbers = centred.shape
    penalty = regularisation * (centred**2).sum() / numbers
    if clips < numbers:  # the same matrix, from the smaller system of equations
        gram = centred @ centred.T
        matrix = centred.T @ np.linalg.solve(gram + penalty * np.eye(clips), aims)
    else:
        gram = centred.T @ centred
        matrix = np.linalg.solve(gram + penalty * np.eye(numbers), centred.T @ aims)
    return matrix, target_mean - mean @ matrix


def _fit_logistic(
    inputs: Doubles, labels: NDArray[np.intp], weights: Doubles, penalty: float
) -> tuple[Doubles, Doubles]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second that ridge need not wait

    model = LogisticRegression(C=1 / penalty, max_iter=2000)
    model.fit(inputs, labels, sample_weight=weights)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(intercepts) == 1:  # of two outputs it gives the logit of the second against the first
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        intercepts = np.array([-intercepts[0] / 2, intercepts[0] / 2])
    return coefficients.T, intercepts
