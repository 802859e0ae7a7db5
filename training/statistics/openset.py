"""Familiarity scores, and how well they tell clips of known shows from others.

Familiarity is any score that is larger for clips like those that the model learned from:

    largest_probability   Hendrycks & Gimpel, "A Baseline for Detecting Misclassified and
                          Out-of-Distribution Examples in Neural Networks", ICLR 2017
    energy                Liu, Wang, Owens & Li, "Energy-based Out-of-distribution Detection", NeurIPS 2020
    kl_matching           Hendrycks et al., "Scaling Out-of-Distribution Detection for Real-World
                          Settings", ICML 2022
    relative_mahalanobis  Ren et al., "A Simple Fix to Mahalanobis Distance for Improving Near-OOD
                          Detection", 2021
    odds_of_shows         for a model that also learned from other things, with an output of their own, as
                          in outlier exposure (Hendrycks, Mazeika & Dietterich, ICLR 2019)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sklearn.covariance
import sklearn.metrics
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from training.statistics.calibration import softmax
from training.statistics.estimate import Bootstrap, Estimate, Statistic, weighted_mean
from training.statistics.report import Table, columns

REFUSED_AT_MOST = 0.10  # share of known clips that may be called unknown


@dataclass(frozen=True)
class RocCurve:
    """The ROC curve, from the lowest threshold to the highest.

    Attributes:
        known_refused: share of known clips called unknown, growing from 0 to 1.
        unknown_caught: share of unknown clips called unknown, growing from 0 to 1.
    """

    known_refused: tuple[float, ...]
    unknown_caught: tuple[float, ...]


@dataclass(frozen=True)
class UnknownReport:
    """How well one score tells known from unknown.

    Attributes:
        score: name of the score.
        known_clips: number of clips of known shows.
        unknown_clips: number of other clips.
        auroc: probability that a known clip is more familiar than an unknown one, ties half, in [0, 1].
        threshold: a clip is known when its familiarity >= threshold.
        known_refused: share of known clips below the threshold.
        unknown_caught: share of unknown clips below the threshold.
        curve: for a plot.
    """

    score: str
    known_clips: int
    unknown_clips: int
    auroc: Estimate
    threshold: float
    known_refused: Estimate
    unknown_caught: Estimate
    curve: RocCurve


def unknown_table(reports: Sequence[UnknownReport]) -> Table:
    """One row for each report."""
    return Table(
        "Known or unknown",
        columns(
            *("score", "known", "unknown", "AUROC", "threshold", "known refused", "unknown caught"),
            text=["score"],
        ),
        tuple(
            (
                report.score,
                str(report.known_clips),
                str(report.unknown_clips),
                str(report.auroc),
                f"{report.threshold:.4g}",
                str(report.known_refused),
                str(report.unknown_caught),
            )
            for report in reports
        ),
        "95 % intervals: percentile bootstrap, known and unknown drawn apart, the threshold held.",
    )


def largest_probability(logits: ArrayLike, *, temperature: float = 1.0) -> NDArray[np.float64]:
    """The largest probability of each clip, [clip], in (0, 1] (Hendrycks & Gimpel, 2017)."""
    return np.asarray(softmax(_matrix(logits, "logits"), temperature=temperature).max(axis=1))


def energy(logits: ArrayLike, *, temperature: float = 1.0) -> NDArray[np.float64]:
    """The negative energy T log sum exp(logit / T) of each clip, [clip] (Liu et al., 2020).

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    return np.asarray(temperature * logsumexp(_matrix(logits, "logits") / temperature, axis=1))


def odds_of_shows(logits: ArrayLike, *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Logarithm of the odds that a clip is of one of the shows, [clip].

    Args:
        logits: float [clip, output], the last output is that of "none of these".
        temperature: that they are divided by, above 0.
    """
    table = _matrix(logits, "logits") / temperature
    return np.asarray(logsumexp(table[:, :-1], axis=1) - table[:, -1])


def kl_matching(
    logits: ArrayLike, typical: ArrayLike, labels: ArrayLike, *, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Minus the least divergence from a show's mean answer, [clip] (Hendrycks et al., 2022).

    Args:
        logits: float [clip, show].
        typical: float [known clip, show], logits of clips whose shows are known, not learned from.
        labels: int [known clip], their shows.
        temperature: that logits are divided by, above 0.
    """
    answers = softmax(_matrix(logits, "logits"), temperature=temperature)
    known = softmax(_matrix(typical, "typical"), temperature=temperature)
    means, _ = _means_by_show(known, labels)
    tiny = 1e-12  # keeps the logarithm of 0 finite
    own = (answers * np.log(answers + tiny)).sum(axis=1)
    return np.asarray((answers @ np.log(means + tiny).T).max(axis=1) - own)


def relative_mahalanobis(
    embeddings: ArrayLike, training: ArrayLike, labels: ArrayLike
) -> NDArray[np.float64]:
    """Distance to the mean of all less the least to a show's mean, [clip] (Ren et al., 2021).

    On vectors of length 1; covariances are shrunk towards their mean variance after Ledoit & Wolf (2004),
    because there may be fewer clips than dimensions.

    Args:
        embeddings: float [clip, dimension].
        training: float [training clip, dimension].
        labels: int [training clip], their shows.
    """
    ours, theirs = (
        table / np.linalg.norm(table, axis=1, keepdims=True)
        for table in (_matrix(embeddings, "embeddings"), _matrix(training, "training"))
    )
    means, place = _means_by_show(theirs, labels)
    centre = theirs.mean(axis=0)
    within = theirs - means[place]
    shared, whole = (
        np.linalg.cholesky(sklearn.covariance.ledoit_wolf(some, assume_centered=True)[0])
        for some in (within, theirs - centre)
    )

    def squared(factor: NDArray[np.float64], apart: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((solve_triangular(factor, apart.T, lower=True) ** 2).sum(axis=0))

    to_shows = np.stack([squared(shared, ours - mean) for mean in means], axis=1)
    return np.asarray(squared(whole, ours - centre) - to_shows.min(axis=1))


def choose_threshold(known: ArrayLike, *, refused: float = REFUSED_AT_MOST) -> float:
    """The largest threshold that calls at most this share of known clips unknown.

    It is the familiarity of one of the clips, so a rounded threshold may call that clip unknown.

    Args:
        known: familiarity of known clips that the model did not learn from, finite [clip].
        refused: share in [0, 1).

    Raises:
        ValueError: no clips, numbers that are not finite, a share outside its range.
    """
    if not 0 <= refused < 1:
        raise ValueError(f"refused must lie in [0, 1), not {refused}")
    ordered = np.sort(_familiarity(known, "known"))
    allowed = math.floor(refused * len(ordered) + 1e-9)  # 0.29 * 100 is 28.999999999999996
    return float(ordered[allowed])


def measure_unknown(
    known: ArrayLike,
    unknown: ArrayLike,
    *,
    score: str,
    threshold: float | None = None,
    known_groups: ArrayLike | None = None,
    unknown_groups: ArrayLike | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> UnknownReport:
    """Measure how well a familiarity score tells known clips from unknown ones.

    Args:
        known: familiarity of clips of known shows, not learned from, finite [clip].
        unknown: familiarity of clips of other shows, finite [clip].
        score: its name, for the table.
        threshold: that the clips had no part in; None takes `choose_threshold(known)`.
        known_groups: [known clip]; clips of one group are drawn together for the intervals.
        unknown_groups: [unknown clip], likewise.
        bootstrap: how the intervals are drawn; known and unknown clips are drawn apart.

    Raises:
        ValueError: no clips on a side, numbers that are not finite, groups of another length.
    """
    inside, outside = _familiarity(known, "known"), _familiarity(unknown, "unknown")
    limit = choose_threshold(inside) if threshold is None else threshold
    values = np.concatenate([inside, outside])
    is_unknown = np.repeat([0, 1], [len(inside), len(outside)])
    groups = None
    if known_groups is not None or unknown_groups is not None:
        groups = np.concatenate(
            [_codes_or_range(known_groups, len(inside)), _codes_or_range(unknown_groups, len(outside))]
        )
    refused, caught, _ = sklearn.metrics.roc_curve(is_unknown, -values)
    return UnknownReport(
        score=score,
        known_clips=len(inside),
        unknown_clips=len(outside),
        auroc=bootstrap.estimate(auroc(inside, outside), len(values), groups=groups, strata=is_unknown),
        threshold=limit,
        known_refused=bootstrap.estimate(weighted_mean(inside < limit), len(inside), groups=known_groups),
        unknown_caught=bootstrap.estimate(
            weighted_mean(outside < limit), len(outside), groups=unknown_groups
        ),
        curve=RocCurve(tuple(refused.tolist()), tuple(caught.tolist())),
    )


def auroc(known: ArrayLike, unknown: ArrayLike) -> Statistic:
    """The statistic "area under the ROC curve" of known clips followed by unknown ones.

    It equals `sklearn.metrics.roc_auc_score` with the weights as sample weights, for many rows at once.
    """
    inside, outside = _familiarity(known, "known"), _familiarity(unknown, "unknown")
    values = np.concatenate([inside, outside])
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))  # of runs of equal familiarity
    is_known = order < len(inside)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        ordered = weights[:, order]
        above = np.add.reduceat(ordered * is_known, starts, axis=1)
        below = np.add.reduceat(ordered * ~is_known, starts, axis=1)
        beaten = np.cumsum(below, axis=1) - below / 2  # a tie counts half
        return np.asarray((above * beaten).sum(axis=1) / (above.sum(axis=1) * below.sum(axis=1)))

    return statistic


def _familiarity(scores: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must have shape [clip] with at least one clip, not {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


def _matrix(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers of two dimensions, not {array.shape}")
    return array


def _means_by_show(
    values: NDArray[np.float64], labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The mean row of each show that has clips, [show, n], and which of them is each clip's, int [clip]."""
    names, place = np.unique(np.asarray(labels), return_inverse=True)
    return np.stack([values[place == number].mean(axis=0) for number in range(len(names))]), place


def _codes_or_range(groups: ArrayLike | None, clips: int) -> NDArray[np.intp]:
    """Groups as integers: the names of one side may have another type than those of the other."""
    if groups is None:
        return np.arange(clips)
    return np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1], dtype=np.intp)
