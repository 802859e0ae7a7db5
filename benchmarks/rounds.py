"""Fair turns: **contenders, items** -> A B C, A B C, … -> **seconds of each, in each round**.

All contenders stand ready at once and take turns at every item, so that whatever else the machine does falls
on all of them; who goes first changes from round to round.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.crew import Absent, CannotMeasure, Contender, Measurable
from benchmarks.results import Entry, Item

Start = Callable[[Contender], Measurable]


class NoBaseline(Exception):
    """This project itself cannot be measured; the message says why."""


@dataclass
class _Seat:
    """A contender that takes part."""

    contender: Contender
    worker: Measurable
    answers: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: list[list[float | None]] = field(default_factory=list)


def run_rounds(
    contenders: Sequence[Contender],
    items: Sequence[Item],
    *,
    rounds: int,
    times: int,
    start: Start,
    advance: Callable[[str], None] = lambda what: None,
) -> tuple[tuple[Entry, ...], Mapping[str, str]]:
    """Measure every contender at every item in every round.

    Args:
        contenders: the first is the one that the others are compared with.
        items: to do.
        rounds: at least 1.
        times: that an item is done for one measurement.
        start: makes a contender ready, or raises Absent.
        advance: told what was done, after every contender that was prepared and every round.

    Returns:
        Entries of those who took part to the end, and the others with their reason.

    Raises:
        NoBaseline: the first contender is absent or cannot do an item.
    """
    absent: dict[str, str] = {}
    seats: list[_Seat] = []
    with contextlib.ExitStack() as stack:
        for contender in contenders:
            try:
                worker = start(contender)
                stack.callback(worker.close)
                seat = _Seat(contender, worker)
                _check(seat, items)
                seats.append(seat)
            except Absent as error:
                absent[contender.name] = str(error)
            advance(f"{contender.name} is ready" if contender.name not in absent else f"no {contender.name}")
        _demand_baseline(contenders[0], seats, absent)
        _compare(seats, items)
        for number in range(rounds):
            for seat in seats:
                seat.seconds.append([None] * len(items))
            for index, item in enumerate(items):
                turn = (number + index) % len(seats)
                for seat in [*seats[turn:], *seats[:turn]]:
                    if seat.contender.name not in absent and item.name not in seat.failures:
                        _measure(seat, index, item, times, absent)
            _demand_baseline(contenders[0], seats, absent)
            advance(f"round {number + 1} of {rounds}")
    return tuple(_entry(seat, items) for seat in seats if seat.contender.name not in absent), absent


def _check(seat: _Seat, items: Sequence[Item]) -> None:
    """Do every item once, uncounted: it warms up, and tells what cannot be done."""
    for item in items:
        try:
            seat.answers[item.name] = seat.worker.check(item.name)
        except CannotMeasure as error:
            seat.failures[item.name] = str(error)
    if len(seat.failures) == len(items):
        raise Absent(f"it can do none of it: {next(iter(seat.failures.values()), 'no items')}")


def _compare(seats: Sequence[_Seat], items: Sequence[Item]) -> None:
    """A contender that answers otherwise did other work: its time at that item is not counted."""
    for seat in seats[1:]:
        for item in items:
            ours, theirs = seats[0].answers[item.name], seat.answers.get(item.name)
            if ours is not None and theirs is not None and ours != theirs:
                seat.failures[item.name] = f"it answers {theirs}, this project {ours}"


def _measure(seat: _Seat, index: int, item: Item, times: int, absent: dict[str, str]) -> None:
    number = len(seat.seconds)
    try:
        seat.seconds[-1][index] = seat.worker.run(item.name, times)
    except CannotMeasure as error:
        seat.failures[item.name] = f"in round {number}: {error}"
    except Absent as error:
        absent[seat.contender.name] = f"in round {number}: {error}"


def _demand_baseline(contender: Contender, seats: Sequence[_Seat], absent: Mapping[str, str]) -> None:
    if contender.name in absent or not seats:
        raise NoBaseline(f"{contender.name}: {absent.get(contender.name, 'it did not start')}")
    for item, reason in seats[0].failures.items():
        raise NoBaseline(f"{contender.name} at {item}: {reason}")


def _entry(seat: _Seat, items: Sequence[Item]) -> Entry:
    failed = [item.name in seat.failures for item in items]
    return Entry(
        name=seat.contender.name,
        version=seat.worker.version,
        note=seat.contender.note,
        seconds=tuple(
            tuple(None if out else value for value, out in zip(row, failed, strict=True))
            for row in seat.seconds
        ),
        failures={
            item.shown or item.name: seat.failures[item.name] for item in items if item.name in seat.failures
        },
    )
