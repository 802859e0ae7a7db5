"""How often a provider may be asked: **calls made** -> Quota -> now, after a wait, or not now.

The provider's own word counts for more than ours: where its headers say what is left, or when to come back,
that holds. Otherwise the calls of the last hour are counted, also those of earlier runs.
"""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from training.errors import QuotaExhausted

WINDOW_S = 3600.0  # calls are allowed by the hour
LEAST_S = 1.0  # to wait: providers round down
# Names that gateways give to what is left and to when it is full again; seconds, or seconds since 1970.
_LEFT = ("x-ratelimit-remaining", "x-ratelimit-remaining-hour", "ratelimit-remaining")
_RESET = ("x-ratelimit-reset", "ratelimit-reset")
_EPOCH = 1e9  # a reset above this is an instant, below it a duration
_MAX_S = 86_400.0  # a longer wait than a day is a mistake of the provider


class CallLog(Protocol):
    """Where calls are remembered across runs; instants in seconds since 1970."""

    def calls_since(self, instant: float) -> list[float]:
        """Instants of the calls after this one, in their order."""
        ...

    def add_call(self, instant: float) -> None:
        """Remember a call that is about to be made."""
        ...

    def closed_until(self) -> float:
        """The instant before which the provider wants no call; 0 where it did not say."""
        ...

    def close_until(self, instant: float) -> None:
        """Remember that instant."""
        ...


class Quota:
    """The calls of an hour.

    Args:
        provider: its name, for messages.
        calls: allowed in an hour.
        log: of calls.
        wait: called with seconds when none is left, to return after them; None raises instead.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        provider: str,
        calls: int,
        log: CallLog,
        *,
        wait: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._provider, self._log, self._wait, self._clock = provider, log, wait, clock
        self.calls = calls

    @property
    def used(self) -> int:
        """Calls of the last hour."""
        return len(self._log.calls_since(self._clock() - WINDOW_S))

    def take(self) -> None:
        """Take one call, waiting for it if need be.

        Raises:
            QuotaExhausted: none is left, and there is nobody to wait.
        """
        while (seconds := self._until_free()) > 0:
            if self._wait is None:
                raise self.exhausted(seconds)
            self._wait(seconds)
        self._log.add_call(self._clock())

    def heed(self, headers: Mapping[str, str]) -> None:
        """Read what an answer says of the calls that are left; headers by lower-case names."""
        left = _number(headers, _LEFT)
        reset = _number(headers, _RESET)
        if left is not None and left <= 0:
            self._close(_seconds(reset, self._clock()) if reset is not None else None)

    def refuse(self, headers: Mapping[str, str]) -> None:
        """The provider said "too many": close until it says, or until our oldest call expires."""
        asked = retry_after(headers, self._clock())
        if asked is None and (reset := _number(headers, _RESET)) is not None:
            asked = _seconds(reset, self._clock())
        self._close(asked)

    def exhausted(self, seconds: float | None = None) -> QuotaExhausted:
        """The error that says so."""
        return QuotaExhausted(
            self._provider, calls=self.calls, wait_s=self._until_free() if seconds is None else seconds
        )

    def _close(self, seconds: float | None) -> None:
        now = self._clock()
        if seconds is None:
            calls = self._log.calls_since(now - WINDOW_S)
            seconds = calls[0] + WINDOW_S - now if calls else WINDOW_S
        self._log.close_until(now + min(max(seconds, LEAST_S), _MAX_S))

    def _until_free(self) -> float:
        """Seconds until a call is free; 0 or less for now."""
        now = self._clock()
        calls = self._log.calls_since(now - WINDOW_S)
        full = calls[-self.calls] + WINDOW_S - now if len(calls) >= self.calls else 0.0
        return max(full, self._log.closed_until() - now)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the header Retry-After asks for, as a number or as a date; None where it does not."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):  # no date, or one that the system's clock cannot show
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


def _seconds(reset: float, now: float) -> float:
    return reset - now if reset > _EPOCH else reset
