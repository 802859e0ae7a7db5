"""Figures with confidence intervals, by the bootstrap or by Wilson's score.

A statistic here takes weights, the number of times that each clip was drawn, instead of the clips themselves.
All resamples of a chunk are then a few matrix products, and 10,000 of them take about a second for a thousand
clips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from training.statistics.report import MISSING, decimal

LEVEL = 0.95  # share of resamples inside an interval, everywhere
CHUNK = 500  # resamples at a time: 500 x 1,000 clips x 8 bytes = 4 MB; it changes no figure

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Weights float64 [resample, clip], each row with at least one clip above 0, to one value for each row."""


@dataclass(frozen=True)
class Estimate:
    """A value and its interval.

    Attributes:
        value: of the sample at hand.
        low: lower end of the interval; NaN if there are fewer than two units to draw from.
        high: upper end, NaN with `low`.
    """

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0; False without an interval."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return MISSING
        if not math.isfinite(self.low + self.high):
            return decimal(self.value)
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def signed(self) -> str:
        """As text with a sign, for a difference."""
        if not math.isfinite(self.value + self.low + self.high):
            return f"{self.value:+.3f}" if math.isfinite(self.value) else MISSING
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


@dataclass(frozen=True)
class Bootstrap:
    """The percentile bootstrap (Efron & Tibshirani, 1993, chapter 13).

    Attributes:
        resamples: number of samples drawn with replacement, at least 1.
        seed: of numpy's PCG64; the same seed gives the same interval.
    """

    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {self.resamples}")

    def estimate(
        self,
        statistic: Statistic,
        clips: int,
        *,
        groups: ArrayLike | None = None,
        strata: ArrayLike | None = None,
    ) -> Estimate:
        """The statistic of all clips, with its interval: see `estimates`."""
        return self.estimates([statistic], clips, groups=groups, strata=strata)[0]

    def estimates(
        self,
        statistics: Sequence[Statistic],
        clips: int,
        *,
        groups: ArrayLike | None = None,
        strata: ArrayLike | None = None,
    ) -> list[Estimate]:
        """Each statistic of all clips, with its interval, all from the same resamples.

        Args:
            statistics: see `Statistic`.
            clips: number of clips, at least 1.
            groups: [clip], any labels: clips of one group are not independent, so they are drawn together
                (the cluster bootstrap; Davison & Hinkley, 1997, section 3.8). None draws clip by clip.
            strata: [clip], any labels: each stratum is drawn separately and keeps its number of units.

        Raises:
            ValueError: no clips, or groups or strata of another length.
        """
        unit_of_clip, stratum_of_unit = _units(clips, groups, strata)
        values = [float(statistic(np.ones((1, clips)))[0]) for statistic in statistics]
        if len(stratum_of_unit) < 2:  # every resample would be the same
            return [Estimate(value, math.nan, math.nan) for value in values]
        drawn: list[list[NDArray[np.float64]]] = [[] for _ in statistics]
        for counts in self._draw(stratum_of_unit):
            weights = counts[:, unit_of_clip]
            for chunks, statistic in zip(drawn, statistics, strict=True):
                chunks.append(statistic(weights))
        ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
        intervals = [np.quantile(np.concatenate(chunks), ends) for chunks in drawn]
        return [
            Estimate(value, float(low), float(high))
            for value, (low, high) in zip(values, intervals, strict=True)
        ]

    def _draw(self, stratum_of_unit: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
        """The number of times that each unit is drawn, float64 [up to CHUNK, unit], chunk by chunk."""
        # One generator for each stratum, so that its draws do not depend on the size of a chunk.
        strata = [np.flatnonzero(stratum_of_unit == stratum) for stratum in np.unique(stratum_of_unit)]
        generators = [
            np.random.default_rng(seed) for seed in np.random.SeedSequence(self.seed).spawn(len(strata))
        ]
        for start in range(0, self.resamples, CHUNK):
            rows = min(CHUNK, self.resamples - start)
            counts = np.zeros((rows, len(stratum_of_unit)))
            for members, generator in zip(strata, generators, strict=True):
                size = len(members)
                picks = generator.integers(0, size, (rows, size)) + np.arange(rows)[:, None] * size
                counts[:, members] = np.bincount(picks.ravel(), minlength=rows * size).reshape(rows, size)
            yield counts


def wilson(successes: int, trials: int) -> Estimate:
    """A share with the score interval of Wilson (1927), which takes the trials as independent.

    It is not empty at 0 and 1, where the bootstrap gives "1.000 [1.000, 1.000]" for 3 of 3. Without trials
    all three numbers are NaN.

    Raises:
        ValueError: more successes than trials, or negative numbers.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials")
    if trials == 0:
        return Estimate(math.nan, math.nan, math.nan)
    interval = binomtest(successes, trials).proportion_ci(confidence_level=LEVEL, method="wilson")
    return Estimate(successes / trials, float(interval.low), float(interval.high))


def weighted_mean(values: ArrayLike) -> Statistic:
    """The statistic "mean of the values", values float or bool [clip]."""
    column = np.asarray(values, dtype=np.float64)
    return lambda weights: np.asarray(weights @ column / weights.sum(axis=1))


def _units(
    clips: int, groups: ArrayLike | None, strata: ArrayLike | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The units that are drawn: that of each clip [clip], and the stratum of each unit [unit]."""
    if clips < 1:
        raise ValueError("no clips to measure")
    group = _codes(groups, clips, "groups") if groups is not None else np.arange(clips)
    stratum = _codes(strata, clips, "strata") if strata is not None else np.zeros(clips, dtype=np.intp)
    # A group that lies in two strata is two units.
    keys, unit_of_clip = np.unique(stratum * clips + group, return_inverse=True)
    return unit_of_clip, keys // clips


def _codes(labels: ArrayLike, clips: int, name: str) -> NDArray[np.intp]:
    array = np.asarray(labels)
    if array.shape != (clips,):
        raise ValueError(f"{name} must have shape ({clips},), not {array.shape}")
    return np.asarray(np.unique(array, return_inverse=True)[1], dtype=np.intp)
