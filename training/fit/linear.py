"""Linear heads, and what stands before them, fitted at once: **vectors, labels** -> **parts of a head**."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.fit.options import LinearKind, PartOptions
from training.network.head import Linear, Part, Tap

Floats = NDArray[np.float32]
Labels = NDArray[np.intp]
_FAR = 1e3  # below all other logits, but near enough for a float32 to add up


def fit_parts(options: Sequence[PartOptions], taps: Mapping[Tap, Floats]) -> tuple[Part, ...]:
    """Measure the means and deviations that the parts are to be freed of.

    Args:
        options: of each part.
        taps: values of the training clips' frames, [clip, frame, n].
    """
    parts = []
    for option in options:
        tap = Tap.parse(option.tap)
        shift = scale = None
        if option.standardise:
            values = taps[tap].reshape(-1, taps[tap].shape[-1])
            shift = values.mean(axis=0, dtype=np.float64)
            # Not `values.std`: it would make a copy in float64, a gigabyte of covariances.
            squares = np.einsum("fn,fn->n", values, values, dtype=np.float64) / len(values)
            variance = np.maximum(squares - shift**2, 0)
            scale = 1 / (np.sqrt(variance) + 1e-3 * np.sqrt(variance.mean()) + 1e-12)
        parts.append(
            Part(
                tap,
                shift=None if shift is None else _float32(shift),
                scale=None if scale is None else _float32(scale),
                unit=option.unit,
                weight=option.weight,
            )
        )
    return tuple(parts)


def sample_weights(
    labels: Labels, sources: Sequence[str], *, balance: float, source_balance: float = 0.0
) -> NDArray[np.float64]:
    """Weights of mean 1, smaller for clips of large shows, and of sources that have much of their show.

    Args:
        labels: int [clip].
        sources: who published each clip, [clip].
        balance: in 0..1; each clip's weight is divided by its show's size to this power.
        source_balance: in 0..1; and by the number of clips of its show and source, to this power.
    """
    weights = np.bincount(labels)[labels] ** -balance
    if source_balance:
        pairs = list(zip(labels.tolist(), sources, strict=True))
        numbers = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
        codes = np.array([numbers[pair] for pair in pairs], dtype=np.intp)
        weights = weights * np.bincount(codes)[codes] ** -source_balance
    return np.asarray(weights / weights.mean(), np.float64)


def fit_linear(
    kind: LinearKind,
    vectors: Floats,
    labels: Labels,
    *,
    outputs: int,
    regularisation: float,
    weights: NDArray[np.float64],
) -> Linear:
    """Fit a linear head.

    Args:
        kind: "ridge" regresses on one-hot labels in closed form; "logistic" minimises the cross-entropy.
        vectors: float [clip, d].
        labels: int [clip] in 0..outputs-1; one without clips gets the lowest logit of all.
        outputs: how many logits to give.
        regularisation: ridge: share of the mean variance; logistic: 1 / C of scikit-learn, per unit of
            variance.
        weights: of each clip, mean 1.
    """
    if kind == "ridge":
        return _fit_ridge(vectors, labels, outputs, regularisation, weights)
    return _fit_logistic(vectors, labels, outputs, regularisation, weights)


def _fit_ridge(
    vectors: Floats, labels: Labels, outputs: int, regularisation: float, weights: NDArray[np.float64]
) -> Linear:
    share = (weights / weights.sum())[:, np.newaxis]
    inputs, targets = vectors.astype(np.float64), np.eye(outputs)[labels]
    mean, target_mean = (share * inputs).sum(axis=0), (share * targets).sum(axis=0)
    root = np.sqrt(share)
    centred, aims = root * (inputs - mean), root * (targets - target_mean)
    clips, numbers = centred.shape
    penalty = regularisation * (centred**2).sum() / numbers
    if clips < numbers:  # the same matrix, of the smaller system
        gram = centred @ centred.T
        matrix = centred.T @ np.linalg.solve(gram + penalty * np.eye(clips), aims)
    else:
        gram = centred.T @ centred
        matrix = np.linalg.solve(gram + penalty * np.eye(numbers), centred.T @ aims)
    bias = target_mean - mean @ matrix
    bias[~np.isin(np.arange(outputs), labels)] = -_FAR
    return Linear(_float32(matrix), _float32(bias))


def _fit_logistic(
    vectors: Floats, labels: Labels, outputs: int, regularisation: float, weights: NDArray[np.float64]
) -> Linear:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second that ridge need not wait

    # By the variance, so that the setting means the same for vectors of any length.
    variance = float(vectors.var(axis=0).sum())
    penalty = regularisation * max(variance, 1e-12)
    present = np.unique(labels)
    if len(present) < 2:
        bias = np.full(outputs, -_FAR)
        bias[present] = 0
        return Linear(np.zeros((vectors.shape[1], outputs), np.float32), _float32(bias))
    model = LogisticRegression(C=1 / penalty, max_iter=2000)
    model.fit(vectors.astype(np.float64), labels, sample_weight=weights)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(present) == 2:  # one row for both: the logit of the second against the first
        coefficients, intercepts = (
            np.vstack([-coefficients / 2, coefficients / 2]),
            np.array([-intercepts[0] / 2, intercepts[0] / 2]),
        )
    matrix = np.zeros((vectors.shape[1], outputs))
    # An output without clips must not win: a logit far below, but one that a float32 still adds up.
    bias = np.full(outputs, -_FAR)
    matrix[:, present], bias[present] = coefficients.T, intercepts
    return Linear(_float32(matrix), _float32(bias))


def _float32(values: NDArray[np.float64]) -> Floats:
    return np.ascontiguousarray(values, np.float32)
