"""What seconds say: **a section** -> each contender beside this project -> **ratios with their spread**."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.results import Entry, Section


@dataclass(frozen=True)
class Figure:
    """One contender in one group of items.

    Attributes:
        name: of the contender.
        milliseconds: geometric mean over items of the medians over rounds.
        ratio: its time beside this project's in the same round, as the geometric mean over the items that
            both can do; the median over rounds. Above 1 it takes longer, below 1 it is faster.
        low: the smallest of these ratios of single rounds.
        high: the largest.
        items: how many items it could do.
    """

    name: str
    milliseconds: float
    ratio: float
    low: float
    high: float
    items: int


def groups(section: Section) -> tuple[str, ...]:
    """The groups of a section's items, in their order."""
    return tuple(dict.fromkeys(item.group for item in section.items))


def compare(section: Section, group: str) -> tuple[Figure, ...]:
    """Every contender that could do anything of the group, this project first, then the fastest first."""
    indices = [index for index, item in enumerate(section.items) if item.group == group]
    ours, *others = section.entries
    figures = [_figure(entry, ours, indices) for entry in others if _able(entry, indices)]
    return (_figure(ours, ours, indices), *sorted(figures, key=lambda figure: figure.ratio))


def medians(entry: Entry) -> tuple[float | None, ...]:
    """Median seconds of each item over the rounds; None where the contender could not do it."""
    columns = zip(*entry.seconds, strict=True)
    return tuple(_median(column) for column in columns)


def _figure(entry: Entry, ours: Entry, indices: Sequence[int]) -> Figure:
    able = _able(entry, indices)
    theirs_median = medians(entry)
    rounds = [
        _mean_ratio([theirs[index] for index in able], [mine[index] for index in able])
        for theirs, mine in zip(entry.seconds, ours.seconds, strict=True)
    ]
    return Figure(
        name=entry.name,
        milliseconds=1000 * statistics.geometric_mean([_sure(theirs_median[index]) for index in able]),
        ratio=statistics.median(rounds),
        low=min(rounds),
        high=max(rounds),
        items=len(able),
    )


def _able(entry: Entry, indices: Sequence[int]) -> list[int]:
    return [index for index in indices if all(row[index] is not None for row in entry.seconds)]


def _median(column: Sequence[float | None]) -> float | None:
    return None if None in column else statistics.median(map(_sure, column))


def _mean_ratio(above: Sequence[float | None], below: Sequence[float | None]) -> float:
    logs = [math.log(_sure(a) / _sure(b)) for a, b in zip(above, below, strict=True)]
    return math.exp(statistics.fmean(logs))


def _sure(seconds: float | None) -> float:
    if seconds is None:
        raise ValueError("this was not measured")
    return seconds
