"""The calls of an hour, by a clock that the tests set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.collect.quota import WINDOW_S, Quota, retry_after
from training.errors import QuotaExhausted

START = 1.7e9


class Clock:
    """A clock that only waits move, and a journal of calls in memory."""

    def __init__(self) -> None:
        self.now, self.waits = START, list[float]()
        self.calls, self.closed = list[float](), 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def calls_since(self, instant: float) -> list[float]:
        return [at for at in self.calls if at > instant]

    def add_call(self, instant: float) -> None:
        self.calls.append(instant)

    def closed_until(self) -> float:
        return self.closed

    def close_until(self, instant: float) -> None:
        self.closed = instant


def quota_of(clock: Clock, calls: int = 100) -> Quota:
    return Quota("Giphy", calls, clock, wait=clock.wait, clock=clock)


@given(st.integers(1, 4), st.lists(st.floats(0, 5000), max_size=20))
def test_no_hour_has_more_calls_than_allowed_and_no_wait_is_longer_than_needed(calls, pauses):
    clock = Clock()
    quota = quota_of(clock, calls)
    for pause in pauses:
        clock.now += pause
        quota.take()

    for place, at in enumerate(clock.calls):
        before = [other for other in clock.calls[:place] if other > at - WINDOW_S + 1e-3]
        assert len(before) < calls
    assert all(0 < wait <= WINDOW_S for wait in clock.waits)


def test_without_waiting_the_error_says_when_the_next_call_is_free():
    clock = Clock()
    quota = Quota("Giphy", 1, clock, clock=clock)
    quota.take()
    clock.now += 600

    with pytest.raises(QuotaExhausted, match="in 50 min") as error:
        quota.take()

    assert error.value.details["wait_s"] == "3000"
    assert len(clock.calls) == 1


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
    clock = Clock()
    quota = quota_of(clock)
    quota.take()

    quota.close(headers)
    quota.take()

    assert clock.waits == [seconds]


@pytest.mark.parametrize(("left", "waits"), [("1", []), ("0", [60])])
def test_only_a_response_without_calls_left_closes(left, waits):
    clock = Clock()
    quota = quota_of(clock)

    quota.read_headers({"x-ratelimit-remaining": left, "x-ratelimit-reset": "60"})
    quota.take()

    assert clock.waits == waits


def test_retry_after_may_be_a_date():
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}, 20) == 100
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 20) == 0
    assert retry_after({}, 20) is None
