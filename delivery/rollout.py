"""Rolls out a published version of the function to users, or rolls it back.

1. The version is checked by its own number. If it does not answer well, nothing else happens.
2. Optionally the alias gives it a growing share of the requests, with a pause after each step.
3. The alias moves to it and is checked again. If that fails, or anything goes wrong before (an alarm, an
   interruption), the alias moves back.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from delivery.aws import Alarms, Alias, Function
from delivery.errors import CheckFailed, DeliveryError, NoVersionBefore, RollbackFailed, RolloutUnderWay
from delivery.request import Ask
from delivery.smoke import READY, Checked, Expected, smoke_test

SETTLE_S = 30.0  # after a move the alias may lead to the version before for a moment
ALARM_EVERY_S = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Rollout:
    """The outcome of a rollout that succeeded."""

    version: str  # that is live now
    before: str | None  # the version that was live before, if there was another
    moved: bool  # whether the alias moved
    checks: tuple[Checked, ...]  # that passed, in order


def roll_out(
    function: Function,
    version: str,
    expected: Expected,
    *,
    steps: Sequence[float] = (),
    pause_s: float = 0,
    url_ask: Ask | None = None,
    alarms: Alarms | None = None,
    say: Say = lambda line: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Rollout:
    """Give users a version, if it answers well.

    Args:
        function: with the alias that users call.
        version: a published one.
        expected: what the answers must say.
        steps: shares of the requests, 0..1, that it gets one after another before it gets all.
        pause_s: seconds to wait after each step while alarms are watched.
        url_ask: sends requests to the address for the check after the move; None leaves that check out.
        alarms: that must stay off.
        say: called with a message at each step.
        sleep: waits so many seconds.

    Raises:
        CheckFailed: it does not; users get the version that they got before.
        RolloutUnderWay: the alias already points to two versions, or somebody else moved it.
        RollbackFailed: it does not, and the alias could not be moved back.
    """
    function.wait(version)
    stood = function.alias()
    if stood.weights:
        raise RolloutUnderWay(
            function.label,
            "a rollout is in progress or was interrupted; end it with gif-deliver rollback, then try again",
        )
    alarms = alarms or Alarms(())
    say(f"checking version {version} by its own number")
    live = stood.version == version
    otherwise = "it is live already" if live else f"users still get version {stood.version}"
    checks = _check(function, version, expected, otherwise)
    if live:
        say(f"version {version} is live already")
        return Rollout(version, stood.before, moved=False, checks=tuple(checks))
    for ringing in alarms.ignore_ringing():
        say(f"the alarm {ringing} is on already, and is not watched")
    with _move_back_on_error(function, stood, say):
        now = stood
        for share in steps:
            say(f"version {version} gets {share:.0%} of the requests")
            step = dataclasses.replace(stood, weights={version: share})
            now = function.move(step, revision=now.revision)
            _watch(alarms, pause_s, sleep)
            checks += smoke_test(function.asker(version), expected, where=f"{function.name}:{version}")
        say(f"version {version} gets all requests")
        function.move(Alias(version, before=stood.version), revision=now.revision)
        _settle(function, version, sleep)
        checks += smoke_test(function.asker(function.alias_name), expected, where=function.label)
        if url_ask is not None:
            checks += smoke_test(url_ask, expected, where="the address")
        _watch(alarms, pause_s, sleep)
    return Rollout(version, stood.version, moved=True, checks=tuple(checks))


def roll_back(function: Function, *, to: str | None = None) -> Rollout:
    """Give users the version that they got before, at once and unchecked; or end an interrupted rollout.

    Args:
        function: the function.
        to: version to go back to; by default the one that was live before.

    Raises:
        NoVersionBefore: none is known.
    """
    stood = function.alias()
    if to is None:
        to = stood.version if stood.weights else stood.before
    if to is None:
        raise NoVersionBefore(function.label, stood.version)
    kept = stood.before if to == stood.version else None
    function.move(Alias(to, before=kept))
    left = stood.version if to != stood.version else next(iter(stood.weights), None)
    return Rollout(to, left, moved=True, checks=())


def _check(function: Function, version: str, expected: Expected, otherwise: str) -> list[Checked]:
    try:
        return smoke_test(function.asker(version), expected, where=f"{function.name}:{version}")
    except CheckFailed as error:
        raise error.after(otherwise) from error


@contextmanager
def _move_back_on_error(function: Function, stood: Alias, say: Say) -> Iterator[None]:
    """Move the alias back if anything ends the block early, Ctrl-C included."""
    try:
        yield
    except BaseException as trouble:
        say(f"going back to version {stood.version}")
        try:
            function.move(stood)
        except DeliveryError as error:
            raise RollbackFailed(function.label, stood.version, error.message) from trouble
        if isinstance(trouble, CheckFailed):
            raise trouble.after(f"users get version {stood.version} again") from trouble
        raise


def _settle(function: Function, version: str, sleep: Callable[[float], None]) -> None:
    """Wait until the alias leads to the version, which takes a moment in AWS."""
    ask = function.asker(function.alias_name)
    waited = 0.0
    while (found := ask(READY).version) != version:
        if waited >= SETTLE_S:
            raise CheckFailed(function.label, f"version {found} still answers after {SETTLE_S:.0f} s")
        sleep(1.0)
        waited += 1.0


def _watch(alarms: Alarms, pause_s: float, sleep: Callable[[float], None]) -> None:
    """Wait; raise CheckFailed at the first alarm."""
    left = pause_s
    while left > 0:
        part = min(left, ALARM_EVERY_S)
        sleep(part)
        left -= part
        alarms.expect_quiet()
    alarms.expect_quiet()
