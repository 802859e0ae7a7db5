"""Compares systems on the same clips: recipes, changed clips with unchanged ones, and int8 with float32.

Differences are paired: every resample draws the same clips for both sides, so that clips that are hard for
both do not widen the interval of the difference.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from services.reading import read_json
from training.errors import InvalidRun
from training.statistics.estimate import Bootstrap, Estimate, Statistic, weighted_mean
from training.statistics.metrics import KS, TopK, summary, top_k_accuracy
from training.statistics.report import Result, Table, columns

# Share of clips for which both must give the same verdict and rank the same show first. It was 0.97 when a
# verdict was only known or unknown; now each level has a threshold, at which some clips change sides.
AGREEMENT = 0.93
LOSS = 0.01  # of top-1 accuracy, at most
_NOTE = "* the 95 % interval of the paired difference excludes 0."


@dataclass(frozen=True)
class System:
    """The figures of one system.

    Attributes:
        name: of the system.
        top_k: accuracy among the k likeliest shows, k ascending.
        macro_f1: see `training.statistics.metrics.macro_f1`.
        mean_of_shows: see `training.statistics.metrics.mean_of_shows`.
        gain: top-1 accuracy less the baseline's, paired; None for the baseline itself.
    """

    name: str
    top_k: tuple[TopK, ...]
    macro_f1: Estimate
    mean_of_shows: Estimate
    gain: Estimate | None


@dataclass(frozen=True)
class ComparisonReport(Result):
    """Several systems on the same clips.

    Attributes:
        clips: number of clips.
        baseline: name of the system that the others are compared with.
        systems: the figures, in the order given.
    """

    clips: int
    baseline: str
    systems: tuple[System, ...]

    def tables(self) -> tuple[Table, ...]:
        """One row for each system."""
        rows = tuple(
            (
                system.name,
                *(str(entry.accuracy) for entry in system.top_k),
                str(system.macro_f1),
                str(system.mean_of_shows),
                "baseline" if system.gain is None else _marked(system.gain),
            )
            for system in self.systems
        )
        tops = (f"top-{entry.k}" for entry in self.systems[0].top_k)
        headings = columns("system", *tops, "macro-F1", "mean of shows", "top-1 gain", text=["system"])
        return (Table(f"Systems on the same {self.clips} clips", headings, rows, _NOTE),)


@dataclass(frozen=True)
class Disturbance:
    """Accuracy on clips changed in one way.

    Attributes:
        name: of the change.
        accuracy: top-1, of the changed clips.
        change: that accuracy less the one of the unchanged clips, paired.
    """

    name: str
    accuracy: Estimate
    change: Estimate


@dataclass(frozen=True)
class RobustnessReport(Result):
    """Accuracy on clips that were changed as reposts change them.

    Attributes:
        clips: number of clips.
        plain: top-1 accuracy of the unchanged clips.
        disturbances: in the order given.
    """

    clips: int
    plain: Estimate
    disturbances: tuple[Disturbance, ...]

    def tables(self) -> tuple[Table, ...]:
        """One row for the unchanged clips and one for each change."""
        rows = [("unchanged", str(self.plain), "")]
        rows += [(entry.name, str(entry.accuracy), _marked(entry.change)) for entry in self.disturbances]
        headings = columns("clips", "top-1", "change", text=["clips"])
        return (Table(f"Robustness on {self.clips} clips", headings, tuple(rows), _NOTE),)


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> Estimate:
    """Mean of the first less mean of the second; `Estimate.excludes_zero` tells whether they differ.

    Args:
        first: a value for each clip, such as `top_k_correct`, float or bool [clip].
        second: the same of the other system, for the same clips in the same order.
        groups: [clip]; clips of one group are drawn together.
        bootstrap: how the interval is drawn.

    Raises:
        ValueError: the two are not of the same clips.
    """
    one, other = np.asarray(first), np.asarray(second)
    if len(one) != len(other):
        raise ValueError(f"both sides must be of the same clips, found {len(one)} and {len(other)}")
    return bootstrap.estimate(_difference(weighted_mean(one), weighted_mean(other)), len(one), groups=groups)


def compare_systems(
    systems: Mapping[str, ArrayLike],
    labels: ArrayLike,
    *,
    baseline: str,
    groups: ArrayLike | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> ComparisonReport:
    """The figures of every system and its gain over the baseline.

    Args:
        systems: probabilities by name, each float [clip, show], for the same clips in the same order.
        labels: int [clip].
        baseline: which of them the others are compared with.
        groups: [clip]; clips of one group are drawn together.
        bootstrap: how the intervals are drawn.

    Raises:
        ValueError: the baseline is not among the systems, or arrays that `check_scores` refuses.
    """
    if baseline not in systems:
        raise ValueError(f"no system is named {baseline!r}")
    clips = len(np.asarray(labels))
    reference = top_k_accuracy(systems[baseline], labels, 1)
    rows = []
    for name, probabilities in systems.items():
        own = top_k_accuracy(probabilities, labels, 1)
        *top, f1, mean, difference = bootstrap.estimates(
            [*summary(probabilities, labels), _difference(own, reference)], clips, groups=groups
        )
        top_k = tuple(itertools.starmap(TopK, zip(KS, top, strict=True)))
        rows.append(System(name, top_k, f1, mean, None if name == baseline else difference))
    return ComparisonReport(clips, baseline, tuple(rows))


def measure_robustness(
    plain: ArrayLike,
    disturbed: Mapping[str, ArrayLike],
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> RobustnessReport:
    """Top-1 accuracy of changed clips beside the unchanged ones.

    Args:
        plain: probabilities of the unchanged clips, float [clip, show].
        disturbed: by name of the change, probabilities of the same clips in the same order.
        labels: int [clip].
        groups: [clip]; clips of one group are drawn together.
        bootstrap: how the intervals are drawn.

    Raises:
        ValueError: arrays that `check_scores` refuses.
    """
    clips = len(np.asarray(labels))
    reference = top_k_accuracy(plain, labels, 1)
    rows = []
    for name, probabilities in disturbed.items():
        own = top_k_accuracy(probabilities, labels, 1)
        accuracy, change = bootstrap.estimates([own, _difference(own, reference)], clips, groups=groups)
        rows.append(Disturbance(name, accuracy, change))
    return RobustnessReport(clips, bootstrap.estimate(reference, clips, groups=groups), tuple(rows))


def _difference(first: Statistic, second: Statistic) -> Statistic:
    return lambda weights: first(weights) - second(weights)


def _marked(difference: Estimate) -> str:
    """A difference as text, with a star where its interval excludes 0."""
    return difference.signed() + (" *" if difference.excludes_zero else "")


@dataclass(frozen=True)
class AgreementReport(Result):
    """The answers of a model that is to stand in for another, such as int8 for float32, beside the other's.

    Attributes:
        name: of the stand-in.
        clips: number of clips, learned from by neither.
        agreement: share of them with the same verdict and the same show first, 0..1.
        change: top-1 accuracy of the stand-in less that of the other, -1..1.
        passed: whether it may stand in: agreement is at least `AGREEMENT`, and at most `LOSS` is lost.
    """

    name: str
    clips: int
    agreement: Estimate
    change: Estimate
    passed: bool

    def tables(self) -> tuple[Table, ...]:
        """One row."""
        names = "stand-in", "clips", "same verdict and show", "top-1 change", "verdict"
        headings = columns(*names, text=["stand-in", "verdict"])
        verdict = "may stand in" if self.passed else "may not"
        row = self.name, str(self.clips), str(self.agreement), self.change.signed(), verdict
        note = f"Asked: the same for {AGREEMENT:.0%}, and at most {LOSS} of top-1 accuracy lost."
        return (Table("In place of the chosen recipe", headings, (row,), note),)


def require_agreement(path: Path) -> None:
    """Check that an evaluation found int8 good enough to stand in for float32.

    Args:
        path: of an evaluation.json.

    Raises:
        InvalidRun: it is not an evaluation, did not judge int8, or found it not good enough.
    """
    try:
        found = read_json(path).get("agreement")
        if found is None:
            raise InvalidRun(str(path), "it did not judge the model in int8")
        if not found["passed"]:
            same, change = (float(found[name]["value"]) for name in ("agreement", "change"))
            why = f"the same verdict and show for {same:.1%}, accuracy {change:+.3f}"
            raise InvalidRun(str(path), f"it found int8 too inexact: {why}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidRun(str(path), f"it is not an evaluation: {error}") from error


def measure_agreement(
    name: str,
    stand_in: Sequence[tuple[object, int]],
    original: Sequence[tuple[object, int]],
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> AgreementReport:
    """Compare two models' answers to the same clips.

    Args:
        name: of the stand-in.
        stand_in: its verdict on each clip and the number of the show that it ranks first, [clip].
        original: those of the other model, for the same clips in the same order.
        labels: int [clip], the shows; negative for clips of other things, which the accuracy leaves out.
        groups: [clip]; clips of one group are drawn together.
        bootstrap: how the intervals are drawn.

    Raises:
        ValueError: different lengths, or no clips.
    """
    truth = np.asarray(labels)
    known = truth >= 0
    same = np.array([ours == theirs for ours, theirs in zip(stand_in, original, strict=True)])
    right, right_before = (
        (np.array([show for _, show in answers]) == truth)[known] for answers in (stand_in, original)
    )
    agreement = bootstrap.estimate(weighted_mean(same), len(same), groups=groups)
    units = None if groups is None else np.asarray(groups)[known]
    change = paired_difference(right, right_before, groups=units, bootstrap=bootstrap)
    passed = agreement.value >= AGREEMENT and change.value >= -LOSS - 1e-9  # a mean of clips is not exact
    return AgreementReport(name, len(same), agreement, change, passed)
