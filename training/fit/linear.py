"""Linear heads, and what stands before them, fitted at once: **vectors, labels** -> **parts of a head**."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.fit.options import LinearKind, NeighbourOptions, PartOptions
from training.network.head import Bank, Linear, Part, Tap

Floats = NDArray[np.float32]
Labels = NDArray[np.intp]


def fit_parts(options: Sequence[PartOptions], taps: Mapping[Tap, Floats]) -> tuple[Part, ...]:
    """Measure means, deviations and directions that the parts are to be freed of.

    Args:
        options: of each part.
        taps: values of the training clips' frames, [clip, frame, n].
    """
    parts = []
    for option in options:
        tap = Tap.parse(option.tap)
        values = taps[tap].reshape(-1, taps[tap].shape[-1]).astype(np.float64)
        if option.power != 1.0:
            values = np.maximum(values, 0) ** option.power
        shift = scale = projection = None
        if option.standardise or option.whiten is not None:
            shift = values.mean(axis=0)
            values = values - shift
        if option.standardise:
            scale = 1 / (values.std(axis=0) + 1e-3 * values.std() + 1e-12)
            values = values * scale
        if option.whiten is not None:
            covariance = values.T @ values / len(values)
            variance, directions = np.linalg.eigh(covariance)
            floor = option.whiten * variance.mean()
            projection = (directions / np.sqrt(np.maximum(variance, 0) + floor)) @ directions.T
        parts.append(
            Part(
                tap,
                power=option.power,
                shift=None if shift is None else _float32(shift),
                scale=None if scale is None else _float32(scale),
                projection=None if projection is None else _float32(projection),
                unit=option.unit,
                weight=option.weight,
            )
        )
    return tuple(parts)


def sample_weights(labels: Labels, shows: int, balance: float) -> NDArray[np.float64]:
    """Weights of mean 1: each clip's is the inverse of its show's size, to the power of balance in 0..1."""
    sizes = np.bincount(labels, minlength=shows)
    weights = (1 / sizes[labels]) ** balance
    return np.asarray(weights / weights.mean())


def fit_linear(
    kind: LinearKind,
    vectors: Floats,
    labels: Labels,
    *,
    shows: int,
    regularisation: float,
    weights: NDArray[np.float64],
) -> Linear:
    """Fit a linear head.

    Args:
        kind: "ridge" regresses on one-hot labels in closed form; "logistic" minimises the cross-entropy;
            "none" gives every show the logit 0.
        vectors: float [clip, d].
        labels: int [clip] in 0..shows-1; a show without clips gets the lowest logit of all.
        shows: how many logits to give.
        regularisation: ridge: share of the mean variance; logistic: 1 / C of scikit-learn, per unit of
            variance.
        weights: of each clip, mean 1.
    """
    if kind == "none":
        return Linear(np.zeros((vectors.shape[1], shows), np.float32), np.zeros(shows, np.float32))
    if kind == "ridge":
        return _fit_ridge(vectors, labels, shows, regularisation, weights)
    return _fit_logistic(vectors, labels, shows, regularisation, weights)


def fit_bank(
    vectors: Floats, labels: Labels, *, shows: int, options: NeighbourOptions, balance: float
) -> Bank:
    """Keep the training clips; each votes for its show, by balance less loudly where the show has many."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    votes = np.zeros((len(labels), shows), np.float32)
    votes[np.arange(len(labels)), labels] = sample_weights(labels, shows, balance)
    return Bank(
        np.ascontiguousarray(unit, np.float32),
        votes,
        weight=options.weight,
        sharpness=options.sharpness,
        neighbour=options.neighbour,
    )


def _fit_ridge(
    vectors: Floats, labels: Labels, shows: int, regularisation: float, weights: NDArray[np.float64]
) -> Linear:
    share = (weights / weights.sum())[:, np.newaxis]
    inputs, targets = vectors.astype(np.float64), np.eye(shows)[labels]
    mean, target_mean = (share * inputs).sum(axis=0), (share * targets).sum(axis=0)
    centred = inputs - mean
    gram = (centred * share).T @ centred
    penalty = regularisation * np.trace(gram) / len(gram)
    matrix = np.linalg.solve(
        gram + penalty * np.eye(len(gram)), (centred * share).T @ (targets - target_mean)
    )
    return Linear(_float32(matrix), _float32(target_mean - mean @ matrix))


def _fit_logistic(
    vectors: Floats, labels: Labels, shows: int, regularisation: float, weights: NDArray[np.float64]
) -> Linear:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second that ridge need not wait

    # By the variance, so that the setting means the same for vectors of any length.
    variance = float(vectors.var(axis=0).sum())
    penalty = regularisation * max(variance, 1e-12)
    present = np.unique(labels)
    if len(present) < 2:
        bias = np.full(shows, -1e3)
        bias[present] = 0
        return Linear(np.zeros((vectors.shape[1], shows), np.float32), _float32(bias))
    model = LogisticRegression(C=1 / penalty, max_iter=2000)
    model.fit(vectors.astype(np.float64), labels, sample_weight=weights)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(present) == 2:  # one row for both: the logit of the second against the first
        coefficients, intercepts = (
            np.vstack([-coefficients / 2, coefficients / 2]),
            np.array([-intercepts[0] / 2, intercepts[0] / 2]),
        )
    matrix = np.zeros((vectors.shape[1], shows))
    # A show without clips must not win: a logit far below, but one that a float32 still adds up.
    bias = np.full(shows, -1e3)
    matrix[:, present], bias[present] = coefficients.T, intercepts
    return Linear(_float32(matrix), _float32(bias))


def _float32(values: NDArray[np.float64]) -> Floats:
    return np.ascontiguousarray(values, np.float32)
