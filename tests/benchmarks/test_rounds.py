from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pytest

from benchmarks.bench.contenders import CannotMeasure, Contender
from benchmarks.bench.environments import Absent
from benchmarks.bench.results import Entry, Item, Section, compare
from benchmarks.bench.rounds import NoBaseline, run_rounds
from benchmarks.harness.timing import Ratio

ITEMS = (Item("a", "all"), Item("b", "all"))


@dataclasses.dataclass
class Scripted:
    """A worker with given seconds for each item, round by round."""

    name: str
    script: Mapping[str, Sequence[float | Exception]]
    diary: list[str]
    answer: object = None
    version: str = "1"
    closed: bool = False

    def check(self, item: str) -> object:
        if item not in self.script:
            raise CannotMeasure("no such thing")
        return self.answer

    def run(self, item: str, times: int) -> float:
        turn = self.diary.count(f"{self.name}{item}")
        self.diary.append(f"{self.name}{item}")
        seconds = self.script[item][turn]
        if isinstance(seconds, Exception):
            raise seconds
        return seconds

    def close(self) -> None:
        self.closed = True


def run(
    *workers: Scripted, rounds: int, missing: Mapping[str, str] = {}
) -> tuple[tuple[Entry, ...], Mapping[str, str]]:
    by_name = {worker.name: worker for worker in workers}

    def start(contender: Contender) -> Scripted:
        if contender.name in missing:
            raise Absent(missing[contender.name])
        return by_name[contender.name]

    contenders = [Contender(name, "") for name in (*by_name, *missing)]
    measured = run_rounds(contenders, ITEMS, rounds=rounds, times=1, start=start)
    assert all(worker.closed for worker in workers)
    return measured


def section(entries: tuple[Entry, ...], rounds: int) -> Section:
    return Section("decode", "key", rounds, False, ITEMS, entries)


def test_a_ratio_is_the_median_of_those_of_the_rounds() -> None:
    diary: list[str] = []
    ours = Scripted("A", {"a": [1.0, 1.0, 1.0], "b": [2.0, 2.0, 4.0]}, diary)
    peer = Scripted("B", {"a": [2.0, 2.0, 9.0], "b": [4.0, 16.0, 8.0]}, diary)

    entries, absent = run(ours, peer, rounds=3)
    us, them = compare(section(entries, 3), "all")

    assert absent == {}
    assert us.ratio == Ratio(1.0, 1.0, 1.0)
    assert us.milliseconds == pytest.approx(1000 * 2**0.5)
    # Ratios of the items in each round: (2, 2), (2, 8), (9, 2).
    assert them.ratio.low == pytest.approx(2.0)
    assert them.ratio.middle == pytest.approx(4.0)
    assert them.ratio.high == pytest.approx(18**0.5)
    assert them.milliseconds == pytest.approx(4000)


def test_contenders_take_turns_and_another_goes_first_each_time() -> None:
    diary: list[str] = []
    workers = [Scripted(name, {"a": [1.0] * 2, "b": [1.0] * 2}, diary) for name in "ABC"]

    run(*workers, rounds=2)

    assert " ".join(diary) == "Aa Ba Ca Bb Cb Ab Ba Ca Aa Cb Ab Bb"


def test_an_absent_peer_is_listed_with_its_reason() -> None:
    ours = Scripted("A", {"a": [1.0], "b": [1.0]}, [])

    entries, absent = run(ours, rounds=1, missing={"B": "does not install"})

    assert [entry.name for entry in entries] == ["A"]
    assert absent == {"B": "does not install"}


def test_a_peer_that_ends_in_a_round_is_absent() -> None:
    diary: list[str] = []
    ours = Scripted("A", {"a": [1.0, 1.0], "b": [1.0, 1.0]}, diary)
    peer = Scripted("B", {"a": [1.0, Absent("it ended")], "b": [1.0, 1.0]}, diary)

    entries, absent = run(ours, peer, rounds=2)

    assert [entry.name for entry in entries] == ["A"]
    assert absent == {"B": "in round 2: it ended"}
    assert diary.count("Bb") == 1


def test_an_item_that_a_peer_cannot_do_is_left_out_of_its_ratio() -> None:
    diary: list[str] = []
    ours = Scripted("A", {"a": [1.0], "b": [100.0]}, diary)
    peer = Scripted("B", {"a": [3.0]}, diary)

    entries, _ = run(ours, peer, rounds=1)
    _, them = compare(section(entries, 1), "all")

    assert entries[1].failures == {"b": "no such thing"}
    assert (them.ratio.middle, them.items) == (pytest.approx(3.0), 1)


def test_an_item_that_fails_in_a_later_round_does_not_count() -> None:
    diary: list[str] = []
    ours = Scripted("A", {"a": [1.0, 1.0], "b": [1.0, 1.0]}, diary)
    peer = Scripted("B", {"a": [3.0, 3.0], "b": [9.0, CannotMeasure("full")]}, diary)

    entries, _ = run(ours, peer, rounds=2)

    assert entries[1].seconds == ((3.0, None), (3.0, None))
    assert entries[1].failures == {"b": "in round 2: full"}


def test_an_item_with_another_answer_does_not_count() -> None:
    ours = Scripted("A", {"a": [1.0], "b": [1.0]}, [], answer="Futurama")
    peer = Scripted("B", {"a": [1.0], "b": [1.0]}, [], answer="Simpsons")

    entries, _ = run(ours, peer, rounds=1)

    assert entries[1].failures["a"] == "it answers Simpsons, this project Futurama"
    assert len(compare(section(entries, 1), "all")) == 1


def test_without_this_project_nothing_is_measured() -> None:
    peer = Scripted("B", {"a": [1.0], "b": [1.0]}, [])
    contenders = [Contender("A", ""), Contender("B", "")]

    def start(contender: Contender) -> Scripted:
        if contender.name == "A":
            raise Absent("its model is broken")
        return peer

    with pytest.raises(NoBaseline, match="A: its model is broken"):
        run_rounds(contenders, ITEMS, rounds=1, times=1, start=start)
    assert peer.closed
