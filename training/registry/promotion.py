"""Promotes challengers that passed the gate to champion, and rolls champions back.

MLflow moves one alias at a time, without conditions, so two users can promote at the same time. Every move is
read back, so that the one who lost gets an error. The order of the moves lets an interrupted promotion be
completed by the same command.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from training.errors import NotRegistered, PromotionRefused, RegistryConflict
from training.registry.versions import CHALLENGER, CHAMPION, MODEL, PREVIOUS, ROLLED_BACK, Registry, Version

if TYPE_CHECKING:  # the gate imports SciPy, which a promotion does not need
    from training.registry.gate import Verdict

NO_CHAMPION = "none"


@dataclass(frozen=True)
class Move:
    """The result of a promotion or a rollback.

    Attributes:
        champion: version that is champion now.
        before: version that was champion; None where there was none.
        previous: version that a rollback would make champion; None for none.
        reason: why it was forced or rolled back; "" for an ordinary promotion.
    """

    champion: str
    before: str | None
    previous: str | None
    reason: str = ""


@dataclass(frozen=True)
class Record:
    """A verdict as one tag of the challenger, so that it is never written in part.

    Attributes:
        passed: whether the challenger may replace the champion.
        champion: version that it was compared with; None where there was none.
        evaluation_sha256: digest of the evaluation set.
        clips: number of clips answered.
        change: of top-1 accuracy with its interval, as text; "" without a champion.
        failed: names of the checks that did not pass.
        at: UTC.
    """

    passed: bool
    champion: str | None
    evaluation_sha256: str
    clips: int
    change: str
    failed: tuple[str, ...]
    at: str

    @classmethod
    def of(cls, version: Version) -> Record | None:
        """Return the record of a version; None where it was never compared."""
        try:
            values = json.loads(version.tags["verdict_record"])
            return cls(**{**values, "failed": tuple(values["failed"])})
        except (KeyError, TypeError, ValueError):
            return None


def record_verdict(registry: Registry, verdict: Verdict) -> None:
    """Tag the challenger with a verdict: the record that `promote` reads, and tags for people."""
    record = Record(
        passed=verdict.passed,
        champion=verdict.champion,
        evaluation_sha256=verdict.evaluation_sha256,
        clips=verdict.clips,
        change=verdict.change.signed() if verdict.change else "",
        failed=verdict.failed,
        at=_now(),
    )
    registry.tag(
        verdict.challenger,
        {
            "verdict_record": json.dumps(dataclasses.asdict(record)),
            "verdict": "passed" if verdict.passed else "failed",
            "verdict_champion": verdict.champion or NO_CHAMPION,
            "verdict_evaluation_sha256": verdict.evaluation_sha256,
            "verdict_options": json.dumps(dataclasses.asdict(verdict.options)),
        },
    )


def promote(registry: Registry, *, version: str = "", force: str = "") -> Move:
    """Make the challenger champion, and the champion `previous`.

    Args:
        registry: to change.
        version: that the challenger must be; "" for any. A delivery promotes the version that it delivered.
        force: a reason to promote a challenger that has not passed, recorded with it; "" to refuse it.

    Raises:
        NotRegistered: there is no challenger.
        PromotionRefused: it has no verdict against the current champion, did not pass, or was rolled back.
        RegistryConflict: somebody else moved an alias at the same time.
    """
    challenger, champion = registry.version(CHALLENGER), registry.find(CHAMPION)
    if champion is not None and champion.number == challenger.number:
        return _finish(registry, challenger)
    if version and challenger.number != version:
        raise PromotionRefused(version, f"the challenger is version {challenger.number} by now")
    before = champion.number if champion else None
    objection = _objection(challenger, before)
    if objection and not force:
        raise PromotionRefused(challenger.number, objection)
    tags = {"promoted_at": _now(), "promoted_over": before or NO_CHAMPION}
    registry.tag(challenger.number, {**tags, **({"forced": force} if objection else {})})
    _expect(registry, {CHALLENGER: challenger.number, CHAMPION: before})
    if before is not None:
        registry.point(PREVIOUS, before)
    registry.point(CHAMPION, challenger.number)
    _expect(registry, {CHAMPION: challenger.number, **({PREVIOUS: before} if before else {})})
    _retire(registry, challenger.number)
    return Move(challenger.number, before, before, force if objection else "")


def rollback(registry: Registry, *, reason: str = "") -> Move:
    """Make `previous` champion again, and mark the champion as rolled back.

    `previous` then is the version that the new champion once replaced, unless that was rolled back too.

    Raises:
        NotRegistered: there is no champion, or none before it.
        RegistryConflict: somebody else moved an alias at the same time.
    """
    bad, good = registry.version(CHAMPION), registry.version(PREVIOUS)
    if bad.number == good.number:
        raise NotRegistered(MODEL, PREVIOUS, hint=f"{PREVIOUS} and {CHAMPION} are both version {bad.number}")
    over = registry.find(good.tags.get("promoted_over", NO_CHAMPION))
    previous = None if over is None or "rolled_back" in over.tags else over.number
    registry.tag(bad.number, {"rolled_back": _now(), "rolled_back_because": reason or "no reason given"})
    _expect(registry, {CHAMPION: bad.number, PREVIOUS: good.number})
    registry.point(ROLLED_BACK, bad.number)
    registry.point(CHAMPION, good.number)
    registry.point(PREVIOUS, previous)
    _expect(registry, {CHAMPION: good.number, ROLLED_BACK: bad.number, PREVIOUS: previous})
    return Move(good.number, bad.number, previous, reason)


def _objection(challenger: Version, champion: str | None) -> str:
    """Return why the challenger may not become champion; "" where it may."""
    record = Record.of(challenger)
    if "rolled_back" in challenger.tags:
        return f"it was rolled back at {challenger.tags['rolled_back']}"
    if record is None:
        return "it was not compared yet: run gif-train compare"
    if record.champion != champion:
        return (
            f"it was compared with {_name(record.champion)}, and the champion is {_name(champion)}: "
            "run gif-train compare again"
        )
    if not record.passed:
        return f"it did not pass: {', '.join(record.failed)}"
    return ""


def _finish(registry: Registry, champion: Version) -> Move:
    """Complete an interrupted promotion: the champion is in place, and is still called challenger."""
    over = champion.tags.get("promoted_over", NO_CHAMPION)
    before = None if over == NO_CHAMPION else over
    _retire(registry, champion.number)
    return Move(champion.number, before, before)


def _retire(registry: Registry, number: str) -> None:
    """Delete the alias challenger of a new champion; a newer challenger keeps it."""
    if registry.aliases().get(CHALLENGER) == number:
        registry.point(CHALLENGER, None)


def _expect(registry: Registry, expected: Mapping[str, str | None]) -> None:
    """Read aliases back.

    Raises:
        RegistryConflict: one of them points to another version.
    """
    found = registry.aliases()
    for alias, number in expected.items():
        if found.get(alias) != number:
            raise RegistryConflict(
                f"{alias} is {_name(found.get(alias))}, expected was {_name(number)}; see gif-train status"
            )


def _name(number: str | None) -> str:
    return "none" if number is None else f"version {number}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
