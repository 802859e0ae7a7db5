from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from services.workers import map_ahead


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_results_come_in_the_order_of_the_items(count: int, threads: int) -> None:
    assert list(map_ahead(str, range(count), threads=threads)) == [str(item) for item in range(count)]


def test_all_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=30)

    assert len(list(map_ahead(lambda _: together.wait(), range(6), threads=3))) == 6


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_is_raised_at_its_place(threads: int) -> None:
    results = map_ahead(lambda item: 1 // (3 - item), range(9), threads=threads)

    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_at_most_twice_as_many_items_as_threads_are_taken_ahead(threads: int) -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = map_ahead(str, items(), threads=threads)
    for done in range(1, 20):
        next(results)

        assert len(taken) <= done + 2 * threads


def test_one_thread_computes_an_item_when_it_is_requested() -> None:
    worked = []
    results = map_ahead(worked.append, range(5), threads=1)

    next(results)

    assert worked == [0]


def test_closing_early_ends_the_threads() -> None:
    before = threading.active_count()
    results = map_ahead(str, range(100), threads=3)
    next(results)

    results.close()

    assert threading.active_count() == before
