"""Compares the answers of a window of time with a reference, by tests that are fit for small samples.

| aspect | what is compared | test |
|---|---|---|
| verdicts | shares of the levels | chi-squared |
| shows | shares among the answers that name one show | chi-squared |
| familiarity | distribution | Kolmogorov-Smirnov |
| formats | shares of the file formats | chi-squared |
| errors | share of each reason among all requests | chi-squared |
| latency | distribution of the time from the GIF to the answer | Kolmogorov-Smirnov |

Where counts are too small for the chi-squared distribution, its p-value is computed from random tables of the
same sums; a table of two columns gets Fisher's exact test. Categories too rare to be judged alone are one
category for the test. The p-values are corrected by Holm's method, because six tests at once would otherwise
alarm six times as often. An aspect has drifted when its corrected p-value is below `ALPHA` and the change is
at least `LEAST_CHANGE`: in a hundred thousand answers even a change that nobody would mind is significant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from delivery.errors import TooFewAnswers
from services.inference.answers import Summary

ALPHA = 0.01
LEAST_ANSWERS = 30  # of the window and of the reference
# Expected counts of a category in the smaller sample: the usual bound for the chi-squared distribution, and
# one below which the category is not judged alone.
EXPECTED, RARE = 5, 1
ANSWERED, OTHERS = "answered", "others"
RESAMPLES = 9_999
# Share of the answers that would have to be others for the distributions to be equal (total variation), or
# the largest distance of two cumulative distributions.
LEAST_CHANGE = {
    "verdicts": 0.1,
    "shows": 0.1,
    "familiarity": 0.1,
    "formats": 0.1,
    "errors": 0.02,
    "latency": 0.1,
}


@dataclass(frozen=True)
class Aspect:
    """The comparison of one aspect.

    Attributes:
        name: a key of `LEAST_CHANGE`.
        test: name of the test; "" if nothing could be tested.
        change: from the reference to the window, 0..1; see `LEAST_CHANGE`.
        p_value: corrected, 0..1; 1 if nothing could be tested.
        drifted: whether it changed.
        note: why nothing could be tested; else "".
        before: counts of the reference by category; empty for a distribution.
        now: counts of the window.
        values: of the reference and of the window, sorted; empty for shares.
    """

    name: str
    test: str = ""
    change: float = 0.0
    p_value: float = 1.0
    drifted: bool = False
    note: str = ""
    before: Mapping[str, int] | None = None
    now: Mapping[str, int] | None = None
    values: tuple[Sequence[float], Sequence[float]] = ((), ())

    def moved(self) -> list[tuple[str, float, float]]:
        """Return category, share before and share now, the largest change first.

        For a distribution, return names of quantiles and their values before and now.
        """
        if self.before is not None and self.now is not None:
            total, latest = max(sum(self.before.values()), 1), max(sum(self.now.values()), 1)
            names = {**self.before, **self.now}
            shares = [
                (name, self.before.get(name, 0) / total, self.now.get(name, 0) / latest) for name in names
            ]
            return sorted(shares, key=lambda each: -abs(each[2] - each[1]))
        if not all(self.values):
            return []
        marks = ("quarter", 0.25), ("median", 0.5), ("three quarters", 0.75), ("95 %", 0.95)
        before, now = (np.quantile(np.array(side), [mark for _, mark in marks]) for side in self.values)
        return [(name, float(a), float(b)) for (name, _), a, b in zip(marks, before, now, strict=True)]


@dataclass(frozen=True)
class Drift:
    """The comparison of a window with a reference.

    Attributes:
        reference: what was expected.
        window: what was found.
        aspects: in the order of the table above.
        alpha: below which a corrected p-value counts.
    """

    reference: Summary
    window: Summary
    aspects: tuple[Aspect, ...]
    alpha: float

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the aspects that changed."""
        return tuple(aspect.name for aspect in self.aspects if aspect.drifted)


def compare(reference: Summary, window: Summary, *, alpha: float = ALPHA) -> Drift:
    """Compare a window with a reference of the same model.

    Args:
        reference: of the model.
        window: of the same model.
        alpha: 0..1, the chance of an alarm although nothing changed, for all aspects together.

    Raises:
        TooFewAnswers: one of them has fewer than `LEAST_ANSWERS` answers.
    """
    for name, summary in (("the reference", reference), ("the window", window)):
        if summary.answers < LEAST_ANSWERS:
            raise TooFewAnswers(name, window.model_version, found=summary.answers, least=LEAST_ANSWERS)
    aspects = [
        _compare_shares("verdicts", reference.verdicts, window.verdicts),
        _compare_shares("shows", reference.shows, window.shows),
        _compare_values("familiarity", reference.familiarity, window.familiarity),
        _compare_shares("formats", reference.formats, window.formats),
        _compare_errors(reference, window),
        _compare_values("latency", reference.duration_ms, window.duration_ms),
    ]
    return Drift(reference, window, tuple(_corrected(aspects, alpha)), alpha)


def _compare_shares(name: str, before: Mapping[str, int], now: Mapping[str, int]) -> Aspect:
    aspect = Aspect(name, before=before, now=now)
    for side, counts in (("reference", before), ("window", now)):
        if not sum(counts.values()):
            return replace(aspect, note=f"the {side} has none")
    table = _pooled(before, now)
    if table.shape[1] < 2:
        return replace(aspect, note="all are of one kind")
    change = 0.5 * float(np.abs(np.diff(table / table.sum(axis=1, keepdims=True), axis=0)).sum())
    if table.shape[1] == 2:
        return replace(aspect, test="Fisher", change=change, p_value=float(stats.fisher_exact(table)[1]))
    expected = stats.contingency.expected_freq(table)
    if expected.min() >= EXPECTED:
        p_value = float(stats.chi2_contingency(table, correction=False).pvalue)
        return replace(aspect, test="chi-squared", change=change, p_value=p_value)
    method = stats.MonteCarloMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(0))
    p_value = float(stats.chi2_contingency(table, correction=False, method=method).pvalue)
    return replace(aspect, test="chi-squared, random tables", change=change, p_value=p_value)


def _pooled(before: Mapping[str, int], now: Mapping[str, int]) -> NDArray[np.int64]:
    """Return the counts as int64 [2, category], those too rare to be judged alone together as the last."""
    names = sorted({**before, **now}, key=lambda name: -(before.get(name, 0) + now.get(name, 0)))
    table = np.array([[side.get(name, 0) for name in names] for side in (before, now)], np.int64)
    table = table[:, table.sum(axis=0) > 0]
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < RARE
    if rare.sum() < 2:
        return table
    return np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])


def _compare_errors(reference: Summary, window: Summary) -> Aspect:
    if reference.errors is None or window.errors is None:
        return Aspect("errors", note="the reference is of no service")
    before, now = ({ANSWERED: side.answers, **(side.errors or {})} for side in (reference, window))
    compared = _compare_shares("errors", before, now)
    return replace(compared, note="there were none") if len({**before, **now}) == 1 else compared


def _compare_values(name: str, before: Sequence[float], now: Sequence[float]) -> Aspect:
    aspect = Aspect(name, values=(before, now))
    for side, values in (("reference", before), ("window", now)):
        if not values:
            return replace(aspect, note=f"the {side} has none")
    found = stats.ks_2samp(np.array(before), np.array(now))
    change, p_value = float(found.statistic), float(found.pvalue)
    return replace(aspect, test="Kolmogorov-Smirnov", change=change, p_value=p_value)


def _corrected(aspects: Sequence[Aspect], alpha: float) -> list[Aspect]:
    """Correct the p-values by Holm's method, and decide."""
    tested = sorted((aspect for aspect in aspects if aspect.test), key=lambda aspect: aspect.p_value)
    corrected: dict[str, float] = {}
    largest = 0.0
    for place, aspect in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - place) * aspect.p_value))
        corrected[aspect.name] = largest
    return [
        replace(
            aspect,
            p_value=corrected.get(aspect.name, 1.0),
            drifted=corrected.get(aspect.name, 1.0) < alpha and aspect.change >= LEAST_CHANGE[aspect.name],
        )
        for aspect in aspects
    ]
