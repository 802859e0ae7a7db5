"""Measures how often the right show is named, overall, for each show, and among the surest answers.

Probabilities may be any scores [clip, show] that are larger for a likelier show. A label is the index of the
true show among the columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sklearn.metrics
from numpy.typing import ArrayLike, NDArray

from training.statistics.estimate import Bootstrap, Estimate, Statistic, weighted_mean, wilson
from training.statistics.report import Result, Table, columns, decimal

Doubles = NDArray[np.float64]
KS = (1, 3)  # of top-k accuracy


@dataclass(frozen=True)
class TopK:
    """Share of clips whose show is among the k likeliest."""

    k: int
    accuracy: Estimate


@dataclass(frozen=True)
class ShowMetrics:
    """The figures of one show.

    Attributes:
        show: its name.
        clips: of this show, at least 0.
        recall: share of its clips that were named right, with Wilson's interval; NaN without clips.
        precision: share of the clips with its name that are of it; NaN if no clip got its name.
        f1: harmonic mean of the two; NaN if there is neither.
        confused_with: the show that most of its other clips were taken for; None if all were right.
        confused_clips: number of these clips.
    """

    show: str
    clips: int
    recall: Estimate
    precision: float
    f1: float
    confused_with: str | None
    confused_clips: int


@dataclass(frozen=True)
class AccuracyReport(Result):
    """How often the right show was named.

    Attributes:
        shows: names, in the order of the columns.
        clips: number of clips.
        units: number of independent units that the intervals are drawn from: groups, or clips.
        top_k: accuracy among the k likeliest shows, k ascending.
        macro_f1: mean of F1 over the shows that have clips.
        mean_of_shows: mean of recall over the shows that have clips (balanced accuracy).
        per_show: one entry for each show, in their order.
        confusion: clips [true show][named show].
    """

    shows: tuple[str, ...]
    clips: int
    units: int
    top_k: tuple[TopK, ...]
    macro_f1: Estimate
    mean_of_shows: Estimate
    per_show: tuple[ShowMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]

    def top(self, k: int) -> Estimate:
        """Accuracy among the k likeliest.

        Raises:
            KeyError: this k was not measured.
        """
        return {entry.k: entry.accuracy for entry in self.top_k}[k]

    def tables(self) -> tuple[Table, ...]:
        """The overall figures, then one row for each show that has clips or was named."""
        overall = [(f"top-{entry.k}", str(entry.accuracy)) for entry in self.top_k]
        overall += [("macro-F1", str(self.macro_f1)), ("mean of shows", str(self.mean_of_shows))]
        drawn = "clip by clip" if self.units == self.clips else f"by {self.units} groups"
        shows = [
            (
                entry.show,
                str(entry.clips),
                str(entry.recall),
                decimal(entry.precision),
                decimal(entry.f1),
                f"{entry.confused_with} ({entry.confused_clips})" if entry.confused_with else "",
            )
            for entry in self.per_show
            if entry.clips or not np.isnan(entry.f1)
        ]
        return (
            Table(
                f"Accuracy on {self.clips} clips",
                columns("measure", "value [95 % interval]", text=["measure"]),
                tuple(overall),
                f"Intervals: percentile bootstrap, drawn {drawn}.",
            ),
            Table(
                "Shows",
                columns(
                    *("show", "clips", "recall [95 % interval]", "precision", "F1", "most often taken for"),
                    text=["show", "most often taken for"],
                ),
                tuple(shows),
                "Intervals: Wilson's, which take the clips of a show as independent.",
            ),
        )


def measure_accuracy(
    probabilities: ArrayLike,
    labels: ArrayLike,
    shows: Sequence[str],
    *,
    groups: ArrayLike | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> AccuracyReport:
    """Accuracy, overall and show by show.

    Args:
        probabilities: float [clip, show], finite.
        labels: int [clip], in 0..show-1.
        shows: names of the columns.
        groups: [clip], any labels; clips of one group are drawn together for the intervals.
        bootstrap: how the intervals are drawn.

    Raises:
        ValueError: shapes, labels or numbers are not as described.
    """
    scores, truth = check_scores(probabilities, labels)
    if len(shows) != scores.shape[1]:
        raise ValueError(f"{len(shows)} names of shows for {scores.shape[1]} columns")
    clips = len(truth)
    *top, f1, mean = bootstrap.estimates(summary(scores, truth), clips, groups=groups)
    confusion = confusion_matrix(scores, truth)
    return AccuracyReport(
        shows=tuple(shows),
        clips=clips,
        units=clips if groups is None else len(np.unique(np.asarray(groups))),
        top_k=tuple(itertools.starmap(TopK, zip(KS, top, strict=True))),
        macro_f1=f1,
        mean_of_shows=mean,
        per_show=_per_show(confusion, shows),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
    )


def top_k_correct(probabilities: ArrayLike, labels: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Whether each clip's show is among its k likeliest, bool [clip].

    Of equally likely shows the first column wins, as with argmax.

    Raises:
        ValueError: k below 1, or arrays that `check_scores` refuses.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    scores, truth = check_scores(probabilities, labels)
    own = scores[np.arange(len(truth)), truth][:, None]
    earlier = np.arange(scores.shape[1]) < truth[:, None]
    rank = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return np.asarray(rank < k)


def confusion_matrix(probabilities: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """How many clips of each true show (row) were named each show (column), int [show, show]."""
    scores, truth = check_scores(probabilities, labels)
    matrix = sklearn.metrics.confusion_matrix(truth, scores.argmax(axis=1), labels=range(scores.shape[1]))
    return np.asarray(matrix, dtype=np.int64)


def top_k_accuracy(probabilities: ArrayLike, labels: ArrayLike, k: int) -> Statistic:
    """The statistic "share of clips whose show is among the k likeliest"."""
    return weighted_mean(top_k_correct(probabilities, labels, k))


def summary(probabilities: ArrayLike, labels: ArrayLike) -> list[Statistic]:
    """The statistics of a system: top-k accuracy for each of `KS`, macro-F1, and the mean of shows."""
    top = [top_k_accuracy(probabilities, labels, k) for k in KS]
    return [*top, macro_f1(probabilities, labels), mean_of_shows(probabilities, labels)]


def macro_f1(probabilities: ArrayLike, labels: ArrayLike) -> Statistic:
    """The statistic "mean of F1 over the shows that have clips"; a show that is not drawn is left out."""
    return _mean_of_shares(probabilities, labels, lambda clips, named: (clips + named) / 2)


def mean_of_shows(probabilities: ArrayLike, labels: ArrayLike) -> Statistic:
    """The statistic "mean of recall over the shows that have clips"; a show that is not drawn is left out."""
    return _mean_of_shares(probabilities, labels, lambda clips, named: clips)


def _mean_of_shares(
    probabilities: ArrayLike, labels: ArrayLike, divisor: Callable[[Doubles, Doubles], Doubles]
) -> Statistic:
    """The mean over shows of its right clips over a divisor, made of its clips and of those with its name."""
    scores, truth = check_scores(probabilities, labels)
    identity = np.eye(scores.shape[1])
    true, named = identity[truth], identity[scores.argmax(axis=1)]  # 0 or 1, [clip, show]
    right = true * named

    def statistic(weights: Doubles) -> Doubles:
        clips = weights @ true
        whole = divisor(clips, weights @ named)
        shares = np.divide(weights @ right, whole, out=np.zeros_like(whole), where=whole > 0)
        present = clips > 0
        return np.asarray((shares * present).sum(axis=1) / present.sum(axis=1))

    return statistic


def check_scores(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The scores as float64 [clip, show] and the labels as int64 [clip].

    Raises:
        ValueError: no clips, other shapes, numbers that are not finite, labels that are not columns.
    """
    table, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"scores must have shape [clip, show], at least one of each, not {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("scores must be finite")
    if truth.shape != table.shape[:1]:
        raise ValueError(f"labels must have shape {table.shape[:1]}, not {truth.shape}")
    if not np.issubdtype(truth.dtype, np.integer):
        raise ValueError(f"labels must be integers, not {truth.dtype}")
    if truth.min() < 0 or truth.max() >= table.shape[1]:
        raise ValueError(f"labels must lie in 0..{table.shape[1] - 1}, not {truth.min()}..{truth.max()}")
    return table, truth.astype(np.int64)


def _per_show(confusion: NDArray[np.int64], shows: Sequence[str]) -> tuple[ShowMetrics, ...]:
    found = []
    for index, show in enumerate(shows):
        clips, named = int(confusion[index].sum()), int(confusion[:, index].sum())
        right = int(confusion[index, index])
        wrong = confusion[index].copy()
        wrong[index] = 0
        other = int(wrong.argmax())
        found.append(
            ShowMetrics(
                show=show,
                clips=clips,
                recall=wilson(right, clips),
                precision=right / named if named else float("nan"),
                f1=2 * right / (clips + named) if clips + named else float("nan"),
                confused_with=shows[other] if wrong[other] else None,
                confused_clips=int(wrong[other]),
            )
        )
    return tuple(found)


_TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class CoverageReport(Result):
    """Accuracy if only the surest answers are given.

    Attributes:
        answered: share of known clips that are answered, growing to 1.
        accuracy: share of these that are right.
        others: share of clips of other things that would be answered as well, at the same sureness.
    """

    answered: tuple[float, ...]
    accuracy: tuple[float, ...]
    others: tuple[float, ...]

    def tables(self) -> tuple[Table, ...]:
        """A row for each tenth of the known clips."""
        rows = []
        for share in _TENTHS:
            place = min(round(share * len(self.answered)), len(self.answered)) - 1
            if place >= 0:
                others = f"{self.others[place]:.3f}" if self.others else "-"
                rows.append((f"{self.answered[place]:.2f}", f"{self.accuracy[place]:.3f}", others))
        headings = columns("known clips answered", "of these right", "other clips answered too")
        note = "The surest first: by the probability of the likeliest show, none of the shows being a choice."
        return (Table("Right answers among the surest", headings, tuple(rows), note),)


def measure_coverage(right: ArrayLike, sure: ArrayLike, others: ArrayLike) -> CoverageReport:
    """Accuracy against the share of clips that are answered, the surest first.

    Args:
        right: whether the likeliest show of each known clip is right, bool [clip].
        sure: how sure each is, [clip], larger is surer.
        others: the same of clips of other things, [other clip]; may be empty.
    """
    hits, scores, strangers = (np.asarray(values) for values in (right, sure, others))
    order = np.argsort(-scores, kind="stable")
    count = np.arange(1, len(order) + 1)
    shares = (strangers[None, :] >= scores[order][:, None]).mean(axis=1) if len(strangers) else np.zeros(0)
    return CoverageReport(
        tuple((count / len(order)).tolist()),
        tuple((np.cumsum(hits[order]) / count).tolist()),
        tuple(shares.tolist()),
    )
