"""Whether a clip is of a show that the model knows.

logits [clip, show] or embeddings [clip, dimension] -> familiarity [clip] -> **UnknownReport**

Familiarity is any score that is larger for what the model learned. Three are here:

    largest_probability   Hendrycks & Gimpel, "A Baseline for Detecting Misclassified and
                          Out-of-Distribution Examples in Neural Networks", ICLR 2017
    energy                Liu, Wang, Owens & Li, "Energy-based Out-of-distribution Detection", NeurIPS 2020
    nearest_similarity    Sun, Ming, Zhu & Li, "Out-of-Distribution Detection with Deep Nearest Neighbors",
                          ICML 2022
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sklearn.metrics
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from training.statistics.calibration import softmax
from training.statistics.estimate import Bootstrap, Estimate, Statistic, weighted_mean
from training.statistics.report import Column, Result, Table

REFUSED_AT_MOST = 0.10  # share of known clips that may be called unknown


@dataclass(frozen=True)
class RocCurve:
    """What each threshold costs and brings, from the strictest to the laxest.

    Attributes:
        known_refused: share of known clips called unknown, growing from 0 to 1.
        unknown_caught: share of unknown clips called unknown, growing from 0 to 1.
    """

    known_refused: tuple[float, ...]
    unknown_caught: tuple[float, ...]


@dataclass(frozen=True)
class UnknownReport(Result):
    """How well one score tells known from unknown.

    Attributes:
        score: name of the score.
        known_clips: how many clips of known shows.
        unknown_clips: how many clips of other shows.
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

    def tables(self) -> tuple[Table, ...]:
        """One row."""
        return (unknown_table([self]),)


def unknown_table(reports: Sequence[UnknownReport], *, title: str = "Known or unknown") -> Table:
    """Several scores, or one score on several sets, one row each."""
    return Table(
        title,
        (
            Column("score", numeric=False),
            Column("known"),
            Column("unknown"),
            Column("AUROC"),
            Column("threshold"),
            Column("known refused"),
            Column("unknown caught"),
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


def nearest_similarity(embeddings: ArrayLike, training: ArrayLike, *, k: int = 1) -> NDArray[np.float64]:
    """1 - cosine distance to the k-th nearest training embedding, [clip], in [-1, 1] (Sun et al., 2022).

    Sun et al. take the Euclidean distance d of normalised embeddings; the similarity is 1 - d**2 / 2, so
    both rank clips alike.

    Args:
        embeddings: float [clip, dimension], none of length 0.
        training: float [training clip, dimension], none of length 0; they must not hold the clips measured.
        k: which neighbour, in 1..training clips.

    Raises:
        ValueError: shapes, lengths or k are not as described.
    """
    ours, theirs = _directions(embeddings, "embeddings"), _directions(training, "training")
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"embeddings of {ours.shape[1]} dimensions beside training of {theirs.shape[1]}")
    if not 1 <= k <= len(theirs):
        raise ValueError(f"k must lie in 1..{len(theirs)}, not {k}")
    similarity = np.partition(ours @ theirs.T, len(theirs) - k, axis=1)[:, len(theirs) - k]
    return np.asarray(np.clip(similarity, -1, 1))


def choose_threshold(known: ArrayLike, *, refused: float = REFUSED_AT_MOST) -> float:
    """The largest threshold that calls at most this share of known clips unknown.

    It is the familiarity of one of the clips: write it with all its digits, or that clip may fall below.

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
    """How well a familiarity score tells known from unknown.

    Args:
        known: familiarity of clips of known shows, not learned from, finite [clip].
        unknown: familiarity of clips of other shows, finite [clip].
        score: its name, for the table.
        threshold: chosen elsewhere; None takes `choose_threshold(known)`, and `known_refused` then holds
            by construction.
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


def _directions(embeddings: ArrayLike, name: str) -> NDArray[np.float64]:
    array = _matrix(embeddings, name)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(f"{name} hold a vector of length 0, which has no direction")
    return np.asarray(array / lengths)


def _codes_or_range(groups: ArrayLike | None, clips: int) -> NDArray[np.intp]:
    """Whole numbers for groups: names of one side may be of another type than those of the other."""
    if groups is None:
        return np.arange(clips)
    return np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1], dtype=np.intp)
