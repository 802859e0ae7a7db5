"""Times several ways to do the same work in turns, compares them, and writes tables in Markdown."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_turns(ways: Sequence[Callable[[], T]], rounds: int, *, first: int = 0) -> list[list[T]]:
    """Call every way once in each round.

    Each round starts with another way (A B C, B C A, …), so that other load on the machine affects all of
    them.

    Args:
        ways: what is called.
        rounds: how often each way is called.
        first: index of the way that starts the first round, modulo the number of ways.

    Returns:
        What the ways returned, [way][round].
    """
    results: list[list[T]] = [[] for _ in ways]
    order = list(zip(ways, results, strict=True))
    for number in range(rounds):
        start = (first + number) % len(order)
        for way, returned in order[start:] + order[:start]:
            returned.append(way())
    return results


def time_in_turns(
    ways: Sequence[Callable[[], object]], rounds: int, *, warm_up: int = 1
) -> list[list[float]]:
    """Time every way once in each round, after `warm_up` rounds that do not count; seconds, [way][round]."""
    taken = in_turns([functools.partial(timed, way) for way in ways], warm_up + rounds)
    return [[seconds for seconds, _ in its[warm_up:]] for its in taken]


def timed(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[float, T]:
    """Call a function; return the seconds that it took, and what it returned."""
    started = time.perf_counter()
    result = work(*args, **kwargs)
    return time.perf_counter() - started, result


@dataclass(frozen=True)
class Ratio:
    """How long something takes relative to a baseline; above 1 it takes longer."""

    middle: float  # the median over the rounds of the ratio within one round
    low: float  # the smallest ratio within one round
    high: float  # the largest

    @classmethod
    def of(cls, times: Iterable[float], baseline: Iterable[float]) -> Ratio:
        """Compare times with those of the baseline in the same rounds."""
        ratios = [mine / its for mine, its in zip(times, baseline, strict=True)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))

    @property
    def spread(self) -> str:
        """The range over the rounds, for tables."""
        return f"{self.low:.2f}-{self.high:.2f}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    header, *lines = [f"| {' | '.join(cells)} |" for cells in (columns, *rows)]
    return "\n".join([header, "|" + "---|" * len(columns), *lines])
