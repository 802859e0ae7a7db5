"""A few ways to do one thing, in one process: **ways** -> A B C, C B A, … -> **seconds of each, by turn**.

For contenders that are processes of their own, each with its failures, there is `benchmarks.rounds`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

Way = Callable[[], object]


def take_turns(ways: Sequence[Way], turns: int, *, warm_up: int = 1) -> list[list[float]]:
    """Do every way in each turn, forwards and backwards, so that what else the machine does falls on all.

    Args:
        ways: what is timed.
        turns: that count.
        warm_up: turns before them that do not.

    Returns:
        Seconds, [way][turn].
    """
    seconds: list[list[float]] = [[] for _ in ways]
    for turn in range(warm_up + turns):
        order = list(zip(ways, seconds, strict=True))
        for way, taken in order if turn % 2 else reversed(order):
            begun = time.perf_counter()
            way()
            if turn >= warm_up:
                taken.append(time.perf_counter() - begun)
    return seconds
