"""Measures how often each level of an answer is given, and how often it is right."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from services.inference import Verdict
from services.inference.prediction import UNKNOWN, Level
from training.fit.crossvalidate import HeldOut
from training.fit.operating import find_operating
from training.statistics.estimate import Bootstrap, Estimate, weighted_mean
from training.statistics.report import Table, columns

LEVELS: tuple[Level, ...] = get_args(Level)
_WORDS = {"show": "one show", "one_of": "one of several", "kind": "a kind", "unknown": "unknown"}


@dataclass(frozen=True)
class LevelShare:
    """One level on one set of clips.

    Attributes:
        level: of `LEVELS`.
        share: of the clips that get it.
        right: share of these for which it is right; None for "unknown", and for clips of other things.
    """

    level: Level
    share: Estimate
    right: Estimate | None


@dataclass(frozen=True)
class LevelReport:
    """All levels on one set of clips.

    Attributes:
        clips: which clips, in words.
        count: number of them.
        levels: one entry for each of `LEVELS`.
    """

    clips: str
    count: int
    levels: tuple[LevelShare, ...]


def level_table(reports: Sequence[LevelReport]) -> Table:
    """One row for each level of each set of clips."""
    return Table(
        "What is answered",
        columns("clips", "number", "answer", "share", "of these right", text=["clips", "answer"]),
        tuple(
            (
                report.clips,
                str(report.count),
                _WORDS[given.level],
                str(given.share),
                "-" if given.right is None else str(given.right),
            )
            for report in reports
            for given in report.levels
        ),
        "Each fold by thresholds that the other folds give. Intervals: percentile bootstrap over sources.",
    )


def verdicts_in_folds(
    held: HeldOut,
    shows: Sequence[str],
    kinds: Mapping[str, str] | None,
    *,
    beside: str | None = None,
    by: HeldOut | None = None,
) -> tuple[list[Verdict], list[Verdict]]:
    """The verdict of every clip, by thresholds found on the other folds.

    Args:
        held: answers of held-out models.
        shows: titles, in the order of the outputs.
        kinds: kind of picture by show; None if they have none.
        beside: a material of other clips, clip i judged by fold i modulo the number of folds; None for none.
        by: other answers to the same clips, on which the thresholds are found; None takes those of `held`.

    Returns:
        Verdicts of the judged clips, and of the clips of `beside`.
    """
    logits = held.of_clips()
    found_on = by.of_clips() if by else logits
    other = held.of_clips(beside) if beside else np.zeros((0, logits.shape[1]))
    other_fold = np.arange(len(other)) % (held.fold.max() + 1)
    verdicts, other_verdicts = [UNKNOWN] * len(logits), [UNKNOWN] * len(other)  # each is replaced
    for fold, inside in held.folds():
        operating = find_operating(found_on[~inside], held.labels[~inside], shows, kinds=kinds)
        for target, some, values in (
            (verdicts, inside, logits),
            (other_verdicts, other_fold == fold, other),
        ):
            found = operating.verdicts(values[some], shows, kinds)
            for number, verdict in zip(np.flatnonzero(some), found, strict=True):
                target[number] = verdict
    return verdicts, other_verdicts


def measure_levels(
    name: str,
    verdicts: Sequence[Verdict],
    truth: Sequence[str | None],
    kinds: Mapping[str, str] | None,
    *,
    groups: ArrayLike,
    bootstrap: Bootstrap,
) -> LevelReport:
    """Count levels and right answers.

    Args:
        name: of the clips.
        verdicts: of each clip.
        truth: title of each clip's show, [clip]; None for a clip of other things.
        kinds: kind of picture by show.
        groups: [clip]; clips of one group are drawn together.
        bootstrap: how the intervals are drawn.
    """
    units = np.asarray(groups)
    known = np.array([show is not None for show in truth])
    right = np.array([_is_right(verdict, show, kinds) for verdict, show in zip(verdicts, truth, strict=True)])
    levels = []
    for level in LEVELS:
        given: NDArray[np.bool_] = np.array([verdict.level == level for verdict in verdicts])
        share = bootstrap.estimate(weighted_mean(given), len(given), groups=units)
        counts = given & known
        judged = level != "unknown" and counts.any()
        hits = weighted_mean(right[counts])
        share_right = bootstrap.estimate(hits, int(counts.sum()), groups=units[counts]) if judged else None
        levels.append(LevelShare(level, share, share_right))
    return LevelReport(name, len(verdicts), tuple(levels))


def measure_known_and_others(
    names: tuple[str, str],
    verdicts: Sequence[Verdict],
    truth: Sequence[str | None],
    kinds: Mapping[str, str] | None,
    *,
    groups: NDArray[np.generic],
    bootstrap: Bootstrap,
) -> list[LevelReport]:
    """`measure_levels` of the clips of known shows and of those of other things, if there are any.

    The names are those of the two sets; the other arguments are of all clips.
    """
    known = np.array([show is not None for show in truth])
    return [
        measure_levels(
            name,
            list(itertools.compress(verdicts, some)),
            list(itertools.compress(truth, some)),
            kinds,
            groups=groups[some],
            bootstrap=bootstrap,
        )
        for name, some in zip(names, (known, ~known), strict=True)
        if some.any()
    ]


def _is_right(verdict: Verdict, show: str | None, kinds: Mapping[str, str] | None) -> bool:
    if show is None or not verdict.names:
        return False
    return (kinds or {}).get(show) == verdict.names[0] if verdict.level == "kind" else show in verdict.names
