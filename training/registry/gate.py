"""The gate: decides whether a challenger may replace the champion, by their answers to the same clips.

| check | passes when |
|---|---|
| held out | the challenger did not learn from exactly this set; a part of it is not detected |
| accuracy | its top-1 accuracy is at most `margin` below the champion's |
| every show | no show lost more than `show_margin`, beyond what chance explains |
| calibration | its expected calibration error (ECE) is at most the bound below |
| size | its file has at most `max_bytes` |

A show of twelve clips loses 0.08 by a single one, so a margin alone would refuse every second model. A show
counts as lost when its accuracy fell by more than the margin *and* the 95 % interval of the paired
difference, resampled by group, is below 0. Shows of fewer than `min_clips` clips are judged together as one.
A show whose clips are all of one group has no interval: there the margin alone decides.

Overall, the difference itself must be within the margin, not the end of its interval: with a few hundred
clips that would refuse most models of equal quality. The verdict says where the interval exceeds the margin.

The bound of the ECE is the largest of `max_ece`, the champion's ECE, and the ECE that a perfectly calibrated
model of the same confidences exceeds by chance in 1 % of evaluation sets of that size. Without a champion it
is wider by one clip, 1/clips: on a handful of clips, as on the first tour of docs/pipeline.md, the ECE moves
in steps of a clip, so that a model that names every clip right, with a confidence of about a half, is on the
bound or one step above it. It replaces no better model, so it passes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic.dataclasses
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from training.registry.contender import Contender, EvaluationSet
from training.settings import checked, section
from training.statistics.calibration import ece_by_chance, measure_calibration
from training.statistics.comparison import paired_difference
from training.statistics.estimate import Bootstrap, Estimate
from training.statistics.metrics import mean_of_shows, top_k_correct
from training.statistics.report import Column, Result, Table, decimal

SECTION = "gate"  # of a file that holds the settings of other steps as well

Share = Annotated[float, Field(ge=0, le=1)]


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class GateOptions:
    """The limits that a challenger must meet.

    Attributes:
        margin: of top-1 accuracy overall, 0..1.
        show_margin: of top-1 accuracy of one show, 0..1.
        min_clips: that a show needs to be judged by itself, at least 1.
        max_ece: expected calibration error, 0..1.
        max_bytes: of the file, at least 1.
        resamples: of the bootstrap, at least 100.
        seed: of the bootstrap.
    """

    margin: Share = 0.02
    show_margin: Share = 0.10
    min_clips: Annotated[int, Field(ge=1)] = 10
    max_ece: Share = 0.10
    max_bytes: Annotated[int, Field(ge=1)] = 14_000_000
    resamples: Annotated[int, Field(ge=100)] = 10_000
    seed: int = 0

    @classmethod
    def read(cls, path: Path) -> GateOptions:
        """Read a YAML or JSON file: these settings alone, or under `gate` beside those of other steps.

        Raises:
            InvalidOptions: the file cannot be read, a setting is unknown, or a value is out of its range or
                of the wrong type.
        """
        return checked(cls, section(path, SECTION, may_be_whole=True), SECTION)


@dataclass(frozen=True)
class Check:
    """The result of one check, with the value found and the limit as text."""

    name: str
    passed: bool
    found: str
    bound: str


@dataclass(frozen=True)
class ShowChange:
    """The change of accuracy of one show, or of several small ones together.

    Attributes:
        show: title.
        clips: their number.
        champion: accuracy of the champion.
        challenger: accuracy of the challenger.
        change: the second minus the first, paired.
        lost: whether it fell by more than the margin, beyond chance.
    """

    show: str
    clips: int
    champion: float
    challenger: float
    change: Estimate
    lost: bool


@dataclass(frozen=True)
class Figure:
    """One number of both models; NaN for the champion where there is none."""

    name: str
    champion: float
    challenger: float
    digits: int = 3


@dataclass(frozen=True)
class Verdict(Result):
    """The decision about a challenger, and its reasons.

    Attributes:
        challenger: version in the registry.
        champion: version in the registry; None where there was none.
        challenger_sha256: digest of the challenger's file.
        evaluation_sha256: digest of the evaluation set.
        clips: number of clips answered.
        passed: whether every check passed.
        change: of top-1 accuracy, paired; None without a champion.
        checks: see the table at the top of this module.
        figures: of both models.
        shows: changes by show, the worst first.
        remarks: on the evaluation set and the comparison.
        options: the limits.
    """

    challenger: str
    champion: str | None
    challenger_sha256: str
    evaluation_sha256: str
    clips: int
    passed: bool
    change: Estimate | None
    checks: tuple[Check, ...]
    figures: tuple[Figure, ...]
    shows: tuple[ShowChange, ...]
    remarks: tuple[str, ...]
    options: GateOptions

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that did not pass."""
        return tuple(check.name for check in self.checks if not check.passed)

    def tables(self) -> tuple[Table, ...]:
        """Return the checks, figures, shows and remarks."""
        word = "passes" if self.passed else "does not pass"
        beside = f"beside champion version {self.champion}" if self.champion else "without a champion"
        tables = [
            Table(
                f"Challenger version {self.challenger} {beside}: {word}",
                tuple(Column(text, numeric=False) for text in ("check", "challenger", "bound", "verdict")),
                tuple(
                    (each.name, each.found, each.bound, "passed" if each.passed else "FAILED")
                    for each in self.checks
                ),
            ),
            Table(
                f"Figures on {self.clips} clips",
                (Column("figure", numeric=False), Column("champion"), Column("challenger")),
                tuple(
                    (each.name, decimal(each.champion, each.digits), decimal(each.challenger, each.digits))
                    for each in self.figures
                ),
                f"Evaluation set {self.evaluation_sha256[:12]}. Latency is this machine's and only reported.",
            ),
        ]
        if self.shows:
            headings = ("clips", "champion", "challenger", "change [95 % interval]")
            columns = (
                Column("show", numeric=False),
                *map(Column, headings),
                Column("verdict", numeric=False),
            )
            shows = tuple(
                (
                    each.show,
                    str(each.clips),
                    decimal(each.champion),
                    decimal(each.challenger),
                    each.change.signed(),
                    "LOST" if each.lost else "",
                )
                for each in self.shows
            )
            tables.append(Table("Shows", columns, shows))
        if self.remarks:
            rows = tuple((remark,) for remark in self.remarks)
            tables.append(Table("Remarks", (Column("remark", numeric=False),), rows))
        return tuple(tables)


def judge(
    evaluation: EvaluationSet,
    challenger: Contender,
    champion: Contender | None,
    *,
    options: GateOptions = GateOptions(),  # noqa: B008 - a frozen value
    champion_evaluation_sha256: str = "",
) -> Verdict:
    """Decide whether the challenger may replace the champion.

    Args:
        evaluation: the clips with their labels.
        challenger: with its answers.
        champion: with its answers; None where there is none yet: then only the checks that need no second
            model are made.
        options: the limits.
        champion_evaluation_sha256: digest of the set that the champion was accepted on; "" where unknown.
    """
    bootstrap = Bootstrap(options.resamples, options.seed)
    remarks = list(evaluation.remarks)
    ece = measure_calibration(challenger.probabilities, evaluation.labels).ece
    learned = challenger.training_data_sha256 == evaluation.sha256
    learned_from = "learned from it" if learned else "learned from another"
    checks = [Check("held out", not learned, learned_from, "another set")]
    change: Estimate | None = None
    shows: tuple[ShowChange, ...] = ()
    bound = max(options.max_ece, ece_by_chance(challenger.probabilities, seed=options.seed))
    if champion is None:
        bound += 1 / len(evaluation.labels)
        remarks.append("There is no champion yet: only the checks without a comparison were made.")
    else:
        bound = max(bound, measure_calibration(champion.probabilities, evaluation.labels).ece)
        right = top_k_correct(challenger.probabilities, evaluation.labels, 1)
        before = top_k_correct(champion.probabilities, evaluation.labels, 1)
        change = paired_difference(right, before, groups=evaluation.groups, bootstrap=bootstrap)
        shows = _show_changes(evaluation, right, before, options, bootstrap)
        lost = [each for each in shows if each.lost]
        checks += [
            Check(
                "accuracy",
                _at_least(change.value, -options.margin),
                change.signed(),
                f"at least {-options.margin:+.3f}",
            ),
            Check(
                "every show",
                not lost,
                "; ".join(f"{each.show} {each.change.signed()}" for each in lost) or "none lost",
                f"none beyond chance below {-options.show_margin:+.3f}",
            ),
        ]
        remarks += _remarks(evaluation, change, champion_evaluation_sha256, options)
        if challenger.sha256 == champion.sha256:
            remarks.append("Both versions hold the same file.")
    checks += [
        Check("calibration", _at_least(bound, ece), f"ECE {ece:.3f}", f"at most {bound:.3f}"),
        Check(
            "size",
            challenger.size_bytes <= options.max_bytes,
            f"{challenger.size_bytes:,} bytes",
            f"at most {options.max_bytes:,}",
        ),
    ]
    return Verdict(
        challenger=challenger.version,
        champion=champion.version if champion else None,
        challenger_sha256=challenger.sha256,
        evaluation_sha256=evaluation.sha256,
        clips=len(evaluation.labels),
        passed=all(check.passed for check in checks),
        change=change,
        checks=tuple(checks),
        figures=_figures(evaluation, challenger, champion),
        shows=shows,
        remarks=tuple(remarks),
        options=options,
    )


def _show_changes(
    evaluation: EvaluationSet,
    right: NDArray[np.bool_],
    before: NDArray[np.bool_],
    options: GateOptions,
    bootstrap: Bootstrap,
) -> tuple[ShowChange, ...]:
    """Compare each show with enough clips, and the others together; the worst first."""
    counts = np.bincount(evaluation.labels, minlength=len(evaluation.shows))
    places = {
        evaluation.shows[show]: evaluation.labels == show
        for show in np.flatnonzero(counts >= options.min_clips)
    }
    small = counts[evaluation.labels] < options.min_clips
    if small.any():
        places[f"shows of fewer than {options.min_clips} clips, together"] = small
    found = []
    for show, chosen in places.items():
        change = paired_difference(
            right[chosen], before[chosen], groups=evaluation.groups[chosen], bootstrap=bootstrap
        )
        below = not _at_least(change.value, -options.show_margin)
        by_chance = math.isfinite(change.high) and change.high >= 0
        found.append(
            ShowChange(
                show=show,
                clips=int(chosen.sum()),
                champion=float(before[chosen].mean()),
                challenger=float(right[chosen].mean()),
                change=change,
                lost=below and not by_chance,
            )
        )
    return tuple(sorted(found, key=lambda each: each.change.value))


def _remarks(evaluation: EvaluationSet, change: Estimate, champions: str, options: GateOptions) -> list[str]:
    remarks = []
    if not math.isfinite(change.low):
        remarks.append("All clips are of one group: there is no interval, and the comparison says little.")
    elif change.low < -options.margin:
        remarks.append(
            f"The interval of the change reaches {change.low:+.3f}: {len(evaluation.labels)} clips do not "
            f"rule out a loss of more than {options.margin:.3f}."
        )
    if champions and champions != evaluation.sha256:
        remarks.append(
            f"The champion was accepted on another evaluation set ({champions[:12]}), so its earlier figures "
            "cannot be compared with these. Both models answered this set."
        )
    return remarks


def _figures(
    evaluation: EvaluationSet, challenger: Contender, champion: Contender | None
) -> tuple[Figure, ...]:
    def all_of(contender: Contender) -> tuple[float, ...]:
        calibration = measure_calibration(contender.probabilities, evaluation.labels)
        one = np.ones((1, len(evaluation.labels)))
        return (
            calibration.accuracy,
            float(mean_of_shows(contender.probabilities, evaluation.labels)(one)[0]),
            calibration.ece,
            float(contender.known.mean()),
            contender.size_bytes / 1e6,
            float(np.median(contender.latency_ms)),
        )

    names = (
        ("top-1 accuracy", 3),
        ("mean of shows", 3),
        ("expected calibration error", 3),
        ("called known", 3),
        ("size, MB", 1),
        ("p50 latency, ms", 1),
    )
    ours = all_of(challenger)
    theirs = all_of(champion) if champion else (math.nan,) * len(names)
    return tuple(
        Figure(name, before, now, digits)
        for (name, digits), before, now in zip(names, theirs, ours, strict=True)
    )


def _at_least(value: float, bound: float) -> bool:
    """Whether a value reaches a bound, up to rounding: 0.58 - 0.60 is -0.02000000000000002."""
    return value >= bound - 1e-9
