"""Measures all contenders of a section in rounds.

All contenders are ready at once and take turns at every item, so that other load on the machine affects all
of them. Who goes first changes from item to item and from round to round.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.bench.contenders import CannotMeasure, Contender, WorkerProcess
from benchmarks.bench.environments import Absent
from benchmarks.bench.results import Entry, Item
from benchmarks.harness.timing import in_turns


class NoBaseline(Exception):
    """This project itself cannot be measured; the message says why."""


@dataclass
class _Participant:
    """A contender that is ready, and what was measured of it."""

    contender: Contender
    worker: WorkerProcess
    answers: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: list[list[float | None]] = field(default_factory=list)


def run_rounds(
    contenders: Sequence[Contender],
    items: Sequence[Item],
    *,
    rounds: int,
    times: int,
    start: Callable[[Contender], WorkerProcess],
    advance: Callable[[str], None] = lambda what: None,
) -> tuple[tuple[Entry, ...], Mapping[str, str]]:
    """Measure every contender at every item in every round.

    Args:
        contenders: the first is the one that the others are compared with.
        items: to do.
        rounds: at least 1.
        times: how often an item is done for one measurement.
        start: makes a contender ready, or raises Absent.
        advance: called with a message after each contender that was started and after each round.

    Returns:
        Entries of those that took part to the end, and the others with their reason.

    Raises:
        NoBaseline: the first contender is absent or cannot do an item.
    """
    absent: dict[str, str] = {}
    ready: list[_Participant] = []
    with contextlib.ExitStack() as stack:
        for contender in contenders:
            try:
                worker = start(contender)
                stack.callback(worker.close)
                participant = _Participant(contender, worker)
                _check(participant, items)
                ready.append(participant)
            except Absent as error:
                absent[contender.name] = str(error)
            advance(f"no {contender.name}" if contender.name in absent else f"{contender.name} is ready")
        _require_baseline(contenders[0], ready, absent)
        _compare_answers(ready, items)
        for number in range(rounds):
            for participant in ready:
                participant.seconds.append([None] * len(items))
            for index, item in enumerate(items):
                turns = [functools.partial(_measure, each, index, item, times, absent) for each in ready]
                in_turns(turns, 1, first=number + index)
            _require_baseline(contenders[0], ready, absent)
            advance(f"round {number + 1} of {rounds}")
    return tuple(_entry(each, items) for each in ready if each.contender.name not in absent), absent


def _check(participant: _Participant, items: Sequence[Item]) -> None:
    """Do every item once, untimed: it warms up, and shows what the contender cannot do."""
    for item in items:
        try:
            participant.answers[item.name] = participant.worker.check(item.name)
        except CannotMeasure as error:
            participant.failures[item.name] = str(error)
    if len(participant.failures) == len(items):
        raise Absent(f"it can do none of it: {next(iter(participant.failures.values()), 'no items')}")


def _compare_answers(ready: Sequence[_Participant], items: Sequence[Item]) -> None:
    """Exclude items at which a contender answers otherwise than the baseline: it did other work."""
    for participant in ready[1:]:
        for item in items:
            ours, theirs = ready[0].answers[item.name], participant.answers.get(item.name)
            if ours is not None and theirs is not None and ours != theirs:
                participant.failures[item.name] = f"it answers {theirs}, this project {ours}"


def _measure(each: _Participant, index: int, item: Item, times: int, absent: dict[str, str]) -> None:
    if each.contender.name in absent or item.name in each.failures:
        return
    number = len(each.seconds)
    try:
        each.seconds[-1][index] = each.worker.run(item.name, times)
    except CannotMeasure as error:
        each.failures[item.name] = f"in round {number}: {error}"
    except Absent as error:
        absent[each.contender.name] = f"in round {number}: {error}"


def _require_baseline(contender: Contender, ready: Sequence[_Participant], absent: Mapping[str, str]) -> None:
    if contender.name in absent or not ready:
        raise NoBaseline(f"{contender.name}: {absent.get(contender.name, 'it did not start')}")
    for item, reason in ready[0].failures.items():
        raise NoBaseline(f"{contender.name} at {item}: {reason}")


def _entry(each: _Participant, items: Sequence[Item]) -> Entry:
    done = [item.name not in each.failures for item in items]
    return Entry(
        name=each.contender.name,
        version=each.worker.version,
        note=each.contender.note,
        seconds=tuple(
            tuple(value if able else None for value, able in zip(row, done, strict=True))
            for row in each.seconds
        ),
        failures={item.label: each.failures[item.name] for item in items if item.name in each.failures},
    )
