"""Fits the temperature of logits, and measures how well probabilities are calibrated.

After Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax

from training.statistics.estimate import Estimate, wilson
from training.statistics.metrics import check_scores
from training.statistics.report import Result, Table, columns, decimal

BINS = 15  # as in Guo et al. (2017)
_EDGES = np.linspace(0, 1, BINS + 1)
TEMPERATURE_RANGE = (0.01, 100.0)


@dataclass(frozen=True)
class TemperatureFit:
    """The number that logits are divided by before softmax.

    Attributes:
        temperature: above 1 makes the model less confident, below 1 more.
        undetermined: whether the clips do not determine it, so that it should not be used: all of them are
            right, so that smaller is always better, or the best is at an end of `TEMPERATURE_RANGE`.
    """

    temperature: float
    undetermined: bool


@dataclass(frozen=True)
class ReliabilityBin:
    """The clips whose largest probability lies in (low, high].

    Attributes:
        low: lower end, excluded (0 belongs to the first bin).
        high: upper end, included.
        clips: number of them.
        confidence: mean of their largest probability; NaN without clips.
        accuracy: share that was right, with Wilson's interval; NaN without clips.
    """

    low: float
    high: float
    clips: int
    confidence: float
    accuracy: Estimate


@dataclass(frozen=True)
class CalibrationReport(Result):
    """How far probabilities are from the shares that are right.

    Attributes:
        clips: number of clips.
        ece: expected calibration error in [0, 1]: mean over clips of the distance between accuracy and mean
            confidence of their bin. In small samples it is not 0 even for a perfect model.
        nll: mean negative log-likelihood of the true show, in nats; infinite where it was given 0.
        brier: mean over clips of the squared distance to the truth, summed over shows, in [0, 2].
        confidence: mean of the largest probability.
        accuracy: share of clips whose likeliest show is right.
        bins: of equal width, from 0 to 1.
    """

    clips: int
    ece: float
    nll: float
    brier: float
    confidence: float
    accuracy: float
    bins: tuple[ReliabilityBin, ...]

    def tables(self) -> tuple[Table, ...]:
        """The overall figures, then one row for each bin that has clips."""
        overall = (
            ("expected calibration error", decimal(self.ece)),
            ("mean confidence", decimal(self.confidence)),
            ("accuracy", decimal(self.accuracy)),
            ("negative log-likelihood, nats", decimal(self.nll)),
            ("Brier score", decimal(self.brier)),
        )
        bins = tuple(
            (
                f"{part.low:.2f} to {part.high:.2f}",
                str(part.clips),
                decimal(part.confidence),
                str(part.accuracy),
            )
            for part in self.bins
            if part.clips
        )
        return (
            Table(
                f"Calibration on {self.clips} clips",
                columns("measure", "value", text=["measure"]),
                overall,
                f"{len(self.bins)} bins of equal width of the largest probability (Guo et al., 2017).",
            ),
            Table(
                "Reliability",
                columns(
                    *("largest probability", "clips", "mean confidence", "accuracy [95 % interval]"),
                    text=["largest probability"],
                ),
                bins,
            ),
        )


def softmax(logits: ArrayLike, *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities float64 [clip, show] of logits divided by the temperature.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    return np.asarray(scipy_softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=-1))


def negative_log_likelihood(logits: ArrayLike, labels: ArrayLike, *, temperature: float = 1.0) -> float:
    """Mean over clips of -log of the true show's probability, in nats.

    Raises:
        ValueError: arrays that `check_scores` refuses.
    """
    scores, truth = check_scores(logits, labels)
    return float(-log_softmax(scores / temperature, axis=1)[np.arange(len(truth)), truth].mean())


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> TemperatureFit:
    """The temperature with the least negative log-likelihood, within `TEMPERATURE_RANGE`.

    Fit it on clips that the model did not learn from, or it is too small. Logarithms of probabilities may be
    given instead of logits. The likelihood has one peak, because it is concave in 1 / temperature.

    Args:
        logits: float [clip, show], finite.
        labels: int [clip].

    Raises:
        ValueError: arrays that `check_scores` refuses.
    """
    scores, truth = check_scores(logits, labels)
    low, high = (math.log(end) for end in TEMPERATURE_RANGE)
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(scores, truth, temperature=math.exp(log_t)),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-6},
    )
    log_temperature = float(found.x)
    if found.fun >= negative_log_likelihood(scores, truth):  # no gain, as for logits that are all equal
        log_temperature = 0.0
    all_right = bool((scores[np.arange(len(truth)), truth] == scores.max(axis=1)).all())
    at_an_end = min(log_temperature - low, high - log_temperature) < 1e-3
    return TemperatureFit(math.exp(log_temperature), all_right or at_an_end)


def measure_calibration(probabilities: ArrayLike, labels: ArrayLike) -> CalibrationReport:
    """Expected calibration error, likelihood, Brier score and reliability by bin.

    Args:
        probabilities: float [clip, show], rows that sum to 1.
        labels: int [clip].

    Raises:
        ValueError: arrays that `check_scores` refuses, rows that are not probabilities.
    """
    table, truth = check_scores(probabilities, labels)
    if table.min() < 0 or np.abs(table.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError("probabilities must not be negative and must sum to 1 in each row")
    confidence = np.minimum(table.max(axis=1), 1.0)
    right = table.argmax(axis=1) == truth
    own = table[np.arange(len(truth)), truth]
    with np.errstate(divide="ignore"):
        nll = float(-np.log(own).mean())
    squares = (table**2).sum(axis=1) - 2 * own + 1
    parts = _reliability(confidence, right)
    gaps = [part.clips * abs(part.accuracy.value - part.confidence) for part in parts if part.clips]
    return CalibrationReport(
        clips=len(truth),
        ece=sum(gaps) / len(truth),
        nll=nll,
        brier=float(squares.mean()),
        confidence=float(confidence.mean()),
        accuracy=float(right.mean()),
        bins=parts,
    )


def ece_by_chance(probabilities: ArrayLike, *, seed: int = 0) -> float:
    """The calibration error that well calibrated answers stay below in 99 % of 1,000 draws.

    With few clips it is far from 0, because by chance some are right more or less often than expected.

    Args:
        probabilities: float [clip, show], rows that sum to 1.
        seed: of the draws.
    """
    confidence = np.minimum(np.asarray(probabilities, np.float64).max(axis=1), 1.0)
    place = _bin_of(confidence)
    right = np.random.default_rng(seed).random((1000, len(confidence))) < confidence  # bool [draw, clip]
    gaps = [np.abs((right[:, place == each] - confidence[place == each]).sum(axis=1)) for each in range(BINS)]
    return float(np.quantile(np.sum(gaps, axis=0) / len(confidence), 0.99))


def _bin_of(confidence: NDArray[np.float64]) -> NDArray[np.intp]:
    """The bin of each clip, int [clip]; a bin includes its upper end."""
    return np.digitize(confidence, _EDGES[1:-1], right=True)


def _reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    place = _bin_of(confidence)
    parts = []
    for index in range(BINS):
        inside = place == index
        clips = int(inside.sum())
        parts.append(
            ReliabilityBin(
                low=float(_EDGES[index]),
                high=float(_EDGES[index + 1]),
                clips=clips,
                confidence=float(confidence[inside].mean()) if clips else math.nan,
                accuracy=wilson(int(right[inside].sum()), clips),
            )
        )
    return tuple(parts)
