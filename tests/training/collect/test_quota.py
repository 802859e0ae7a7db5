"""The calls of an hour, by a clock that the tests turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.collect.journal import Journal
from training.collect.quota import WINDOW_S, Quota, retry_after
from training.errors import QuotaExhausted

START = 1.7e9


class Clock:
    def __init__(self) -> None:
        self.now, self.waits = START, list[float]()

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class Log:
    """Calls in memory."""

    def __init__(self) -> None:
        self.calls, self.closed = list[float](), 0.0

    def calls_since(self, instant: float) -> list[float]:
        return [at for at in self.calls if at > instant]

    def add_call(self, instant: float) -> None:
        self.calls.append(instant)

    def closed_until(self) -> float:
        return self.closed

    def close_until(self, instant: float) -> None:
        self.closed = instant


@given(st.integers(1, 4), st.lists(st.floats(0, 5000), max_size=20))
def test_no_hour_has_more_calls_than_allowed_and_no_wait_is_longer_than_needed(calls, pauses):
    clock, log = Clock(), Log()
    quota = Quota("Giphy", calls, log, wait=clock.wait, clock=clock)
    for pause in pauses:
        clock.now += pause
        quota.take()

    for place, at in enumerate(log.calls):
        before = [other for other in log.calls[:place] if other > at - WINDOW_S + 1e-3]
        assert len(before) < calls
    assert all(0 < wait <= WINDOW_S for wait in clock.waits)


def test_without_anybody_to_wait_it_says_when_to_come_back():
    clock, log = Clock(), Log()
    quota = Quota("Giphy", 1, log, clock=clock)
    quota.take()
    clock.now += 600

    with pytest.raises(QuotaExhausted, match="in 50 min") as error:
        quota.take()

    assert error.value.details["wait_s"] == "3000"
    assert len(log.calls) == 1


def test_calls_of_earlier_runs_count(tmp_path: Path):
    clock = Clock()
    with Journal(tmp_path, "giphy") as journal:
        Quota("Giphy", 2, journal, clock=clock).take()
    with Journal(tmp_path, "giphy") as journal:
        quota = Quota("Giphy", 2, journal, clock=clock)
        quota.take()
        assert quota.used == 2

        with pytest.raises(QuotaExhausted):
            quota.take()
        clock.now += WINDOW_S
        assert quota.used == 0
        quota.take()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "90"}, 90),
        ({"retry-after": "0"}, 1),
        ({"x-ratelimit-reset": "30"}, 30),
        ({"ratelimit-reset": str(START + 40)}, 40),
        ({}, WINDOW_S),
        ({"retry-after": "soon"}, WINDOW_S),
        ({"retry-after": "1e12"}, 86_400),
        ({"retry-after": "nan"}, WINDOW_S),
        ({"retry-after": "inf"}, WINDOW_S),
        ({"retry-after": "-5"}, 1),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 GMT"}, 1),
        ({"x-ratelimit-reset": "nan"}, WINDOW_S),
    ],
)
def test_a_refusal_closes_for_as_long_as_the_provider_says(headers, seconds):
    clock, log = Clock(), Log()
    quota = Quota("Giphy", 100, log, wait=clock.wait, clock=clock)
    quota.take()

    quota.close(headers)
    quota.take()

    assert clock.waits == [seconds]


def test_calls_that_are_left_close_nothing():
    clock, log = Clock(), Log()
    quota = Quota("Giphy", 100, log, wait=clock.wait, clock=clock)

    quota.read_headers({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "60"})
    quota.take()
    assert clock.waits == []

    quota.read_headers({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"})
    quota.take()
    assert clock.waits == [60]


def test_retry_after_may_be_a_date():
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}, 20) == 100
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 20) == 0
