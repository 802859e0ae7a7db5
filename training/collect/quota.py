"""Counts the calls to a provider, and waits or refuses when the hour's calls are used up.

What the provider says in its headers has priority: how many calls are left, or when to come back. Otherwise
the calls of the last hour are counted, including those of earlier runs.
"""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Callable, Mapping

from training.collect.journal import Journal
from training.errors import QuotaExhausted

WINDOW_S = 3600.0  # the quota is per hour
_MIN_WAIT_S = 1.0  # providers round down
_MAX_WAIT_S = 86_400.0  # a wait of more than a day is a mistake of the provider
# Headers of API gateways: how many calls are left, and when all are available again, in seconds from now or
# since 1970.
_LEFT = ("x-ratelimit-remaining", "x-ratelimit-remaining-hour", "ratelimit-remaining")
_RESET = ("x-ratelimit-reset", "ratelimit-reset")
_EPOCH = 1e9  # a reset above this is an instant, below it a duration


class Quota:
    """The calls of an hour.

    Args:
        provider: its name, for messages.
        calls: allowed in an hour.
        journal: remembers calls across runs.
        wait: is called with seconds when no call is left, and returns after them; None raises instead.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        provider: str,
        calls: int,
        journal: Journal,
        *,
        wait: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._provider, self._journal, self._wait, self._clock = provider, journal, wait, clock
        self.calls = calls

    @property
    def used(self) -> int:
        """Calls of the last hour."""
        return len(self._recent())

    def take(self) -> None:
        """Take one call, after waiting for it where necessary.

        Raises:
            QuotaExhausted: none is left, and `wait` is None.
        """
        while (seconds := self._until_free()) > 0:
            if self._wait is None:
                raise self.exhausted()
            self._wait(seconds)
        self._journal.add_call(self._clock())

    def read_headers(self, headers: Mapping[str, str]) -> None:
        """Close where a response says that no call is left; headers by lower-case names."""
        left = _number(headers, _LEFT)
        if left is not None and left <= 0:
            self._close_for(self._reset_s(headers))

    def close(self, headers: Mapping[str, str]) -> None:
        """Close after "too many calls": as long as the headers say, or until the oldest call expires."""
        seconds = retry_after(headers, self._clock())
        self._close_for(self._reset_s(headers) if seconds is None else seconds)

    def exhausted(self) -> QuotaExhausted:
        """Return the error that says when the next call is free."""
        return QuotaExhausted(self._provider, calls=self.calls, wait_s=self._until_free())

    def _recent(self) -> list[float]:
        return self._journal.calls_since(self._clock() - WINDOW_S)

    def _reset_s(self, headers: Mapping[str, str]) -> float | None:
        reset = _number(headers, _RESET)
        return reset - self._clock() if reset is not None and reset > _EPOCH else reset

    def _close_for(self, seconds: float | None) -> None:
        now = self._clock()
        if seconds is None:
            calls = self._recent()
            seconds = calls[0] + WINDOW_S - now if calls else WINDOW_S
        self._journal.close_until(now + min(max(seconds, _MIN_WAIT_S), _MAX_WAIT_S))

    def _until_free(self) -> float:
        """Seconds until a call is free; 0 or less for now."""
        now, calls = self._clock(), self._recent()
        full = calls[-self.calls] + WINDOW_S - now if len(calls) >= self.calls else 0.0
        return max(full, self._journal.closed_until() - now)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds of the header Retry-After, a number or a date; None without a valid one."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):  # not a date, or one out of the clock's range
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _number(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        try:
            number = float(headers[name])
        except (KeyError, ValueError):
            continue
        if math.isfinite(number):
            return number
    return None
