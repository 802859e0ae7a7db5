"""Several systems, or several looks of the same clips, side by side.

probabilities by name, labels [clip] -> **ComparisonReport** · **RobustnessReport**

Differences are paired: every resample draws the same clips for both sides, so that what makes a clip hard for
both falls out of the difference.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from training.statistics.estimate import Bootstrap, Estimate, Statistic, weighted_mean
from training.statistics.metrics import TopK, macro_f1, mean_of_shows, top_k_accuracy
from training.statistics.report import Column, Result, Table


@dataclass(frozen=True)
class System:
    """The figures of one system.

    Attributes:
        name: of the system.
        top_k: accuracy among the k likeliest, by growing k.
        macro_f1: see `training.statistics.metrics.macro_f1`.
        mean_of_shows: see `training.statistics.metrics.mean_of_shows`.
        gain: top-1 accuracy less the baseline's, paired; None for the baseline itself.
        gain_excludes_zero: whether the interval of the gain lies on one side of 0.
    """

    name: str
    top_k: tuple[TopK, ...]
    macro_f1: Estimate
    mean_of_shows: Estimate
    gain: Estimate | None
    gain_excludes_zero: bool


@dataclass(frozen=True)
class ComparisonReport(Result):
    """Several systems on the same clips.

    Attributes:
        clips: how many.
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
        columns = (
            Column("system", numeric=False),
            *(Column(f"top-{entry.k}") for entry in self.systems[0].top_k),
            Column("macro-F1"),
            Column("mean of shows"),
            Column("top-1 gain"),
        )
        note = "* the 95 % interval of the paired difference excludes 0."
        return (Table(f"Systems on the same {self.clips} clips", columns, rows, note),)


@dataclass(frozen=True)
class Disturbance:
    """Accuracy on clips changed in one way.

    Attributes:
        name: of the change.
        accuracy: top-1, of the changed clips.
        change: that accuracy less the one of the unchanged clips, paired.
        change_excludes_zero: whether the interval of the change lies on one side of 0.
    """

    name: str
    accuracy: Estimate
    change: Estimate
    change_excludes_zero: bool


@dataclass(frozen=True)
class RobustnessReport(Result):
    """The same clips, changed as the web changes them.

    Attributes:
        clips: how many.
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
        return (
            Table(
                f"Robustness on {self.clips} clips",
                (Column("clips", numeric=False), Column("top-1"), Column("change")),
                tuple(rows),
                "* the 95 % interval of the paired difference excludes 0.",
            ),
        )


def paired_difference(
    first: ArrayLike | Statistic,
    second: ArrayLike | Statistic,
    clips: int | None = None,
    *,
    groups: ArrayLike | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> Estimate:
    """The first less the second on the same clips; `Estimate.excludes_zero` says whether they differ.

    Args:
        first: a value for each clip, such as `top_k_correct`, float or bool [clip]; or a statistic, such as
            `macro_f1(probabilities, labels)`.
        second: the same of the other system, in the same order of clips.
        clips: how many; needed where both are statistics.
        groups: [clip]; clips of one group are drawn together.
        bootstrap: how the interval is drawn.

    Raises:
        ValueError: the two are not of the same clips, or their number is not known.
    """
    lengths = {len(np.asarray(side)) for side in (first, second) if not callable(side)}
    lengths |= set() if clips is None else {clips}
    if len(lengths) != 1:
        raise ValueError(f"both sides must be of the same clips, found {sorted(lengths)}")
    one = first if callable(first) else weighted_mean(first)
    other = second if callable(second) else weighted_mean(second)
    return bootstrap.estimate(_difference(one, other), lengths.pop(), groups=groups)


def compare_systems(
    systems: Mapping[str, ArrayLike],
    labels: ArrayLike,
    *,
    baseline: str,
    groups: ArrayLike | None = None,
    ks: tuple[int, ...] = (1, 3),
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> ComparisonReport:
    """Every system's figures and its gain over the baseline.

    Args:
        systems: probabilities by name, each float [clip, show], all of the same clips in the same order.
        labels: int [clip].
        baseline: which of them the others are compared with.
        groups: [clip]; clips of one group are drawn together.
        ks: for top-k accuracy.
        bootstrap: how the intervals are drawn.

    Raises:
        ValueError: the baseline is not among the systems, or arrays that `check_scores` refuses.
    """
    if baseline not in systems:
        raise ValueError(f"no system is named {baseline!r}")
    clips, ordered = len(np.asarray(labels)), sorted(ks)
    reference = top_k_accuracy(systems[baseline], labels, 1)
    rows = []
    for name, probabilities in systems.items():
        own = top_k_accuracy(probabilities, labels, 1)
        *top, f1, mean, difference = bootstrap.estimates(
            [
                *(top_k_accuracy(probabilities, labels, k) for k in ordered),
                macro_f1(probabilities, labels),
                mean_of_shows(probabilities, labels),
                _difference(own, reference),
            ],
            clips,
            groups=groups,
        )
        top_k = tuple(itertools.starmap(TopK, zip(ordered, top, strict=True)))
        gain = None if name == baseline else difference
        rows.append(System(name, top_k, f1, mean, gain, gain is not None and gain.excludes_zero))
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
        rows.append(Disturbance(name, accuracy, change, change.excludes_zero))
    return RobustnessReport(clips, bootstrap.estimate(reference, clips, groups=groups), tuple(rows))


def _difference(first: Statistic, second: Statistic) -> Statistic:
    return lambda weights: first(weights) - second(weights)


def _marked(difference: Estimate) -> str:
    """A difference as text, with a star where its interval excludes 0."""
    return difference.signed() + (" *" if difference.excludes_zero else "")
