"""Aliases of a real registry in a SQLite file; versions without files: only aliases and tags count here."""

import dataclasses
import json

import pytest

from training.errors import NotRegistered, PromotionRefused, RegistryConflict
from training.registry.promotion import Record, promote, rollback
from training.registry.versions import CHALLENGER, CHAMPION, MODEL, PREVIOUS, ROLLED_BACK, Registry


def challenge(registry: Registry, *, beside: str | None, passed: bool = True) -> str:
    """Add a version that was compared with this champion, and make it challenger."""
    if not registry.versions():
        registry.client.create_registered_model(MODEL)
    number = str(registry.client.create_model_version(MODEL, "file:///nowhere").version)
    record = Record(passed, beside, "e" * 64, 100, "", () if passed else ("accuracy",), "2026-01-01")
    registry.tag(number, {"verdict_record": json.dumps(dataclasses.asdict(record))})
    registry.point(CHALLENGER, number)
    return number


def test_only_the_named_version_is_promoted(registry):
    delivered = challenge(registry, beside=None)
    later = challenge(registry, beside=None)

    with pytest.raises(PromotionRefused, match=f"the challenger is version {later} by now"):
        promote(registry, version=delivered)
    assert registry.aliases() == {CHALLENGER: later}

    assert promote(registry, version=later).champion == later


def test_first_second_and_third_champion_and_back_again(registry):
    for champion in (None, "1", "2"):
        challenge(registry, beside=champion)
        promote(registry)
    assert registry.aliases() == {CHAMPION: "3", PREVIOUS: "2"}

    first = rollback(registry, reason="bad nights")
    assert (first.champion, first.before, first.previous) == ("2", "3", "1")
    assert registry.aliases() == {CHAMPION: "2", PREVIOUS: "1", ROLLED_BACK: "3"}
    assert registry.version("3").tags["rolled_back_because"] == "bad nights"

    rollback(registry)
    assert registry.aliases() == {CHAMPION: "1", ROLLED_BACK: "2"}
    with pytest.raises(NotRegistered, match="no previous"):
        rollback(registry)


def test_a_rollback_never_leads_to_a_version_that_was_rolled_back(registry):
    for champion in (None, "1"):
        challenge(registry, beside=champion)
        promote(registry)
    rollback(registry)
    challenge(registry, beside="1")
    promote(registry)

    assert registry.aliases() == {CHAMPION: "3", PREVIOUS: "1", ROLLED_BACK: "2"}
    rollback(registry)
    assert registry.aliases() == {CHAMPION: "1", ROLLED_BACK: "3"}


def test_promotion_needs_a_passed_verdict_against_the_current_champion(registry):
    with pytest.raises(NotRegistered, match="no challenger in the registry: register one"):
        promote(registry)

    challenge(registry, beside=None, passed=False)
    with pytest.raises(PromotionRefused, match="it did not pass: accuracy"):
        promote(registry)

    challenge(registry, beside="1")
    with pytest.raises(PromotionRefused, match="compared with version 1, and the champion is none"):
        promote(registry)

    registry.client.delete_model_version_tag(MODEL, "2", "verdict_record")
    with pytest.raises(PromotionRefused, match="it was not compared yet"):
        promote(registry)
    assert registry.aliases() == {CHALLENGER: "2"}


def test_the_reason_of_force_is_recorded_only_where_it_was_needed(registry):
    challenge(registry, beside=None)
    assert promote(registry, force="in a hurry").reason == ""
    assert "forced" not in registry.version("1").tags

    challenge(registry, beside="1", passed=False)
    assert promote(registry, force="the champion fails").reason == "the champion fails"
    assert registry.version(CHAMPION).tags["forced"] == "the champion fails"


def test_a_rolled_back_version_is_not_promoted_again(registry):
    for champion in (None, "1"):
        challenge(registry, beside=champion)
        promote(registry)
    rollback(registry)
    registry.point(CHALLENGER, "2")

    with pytest.raises(PromotionRefused, match="version 2 is not promoted: it was rolled back"):
        promote(registry)


def test_an_interrupted_promotion_is_completed_by_the_next(registry, monkeypatch):
    challenge(registry, beside=None)
    promote(registry)
    challenge(registry, beside="1")
    point = registry.point

    def interrupted(alias: str, number: str | None) -> None:
        if number is None:
            raise KeyboardInterrupt
        point(alias, number)

    monkeypatch.setattr(registry, "point", interrupted)
    with pytest.raises(KeyboardInterrupt):
        promote(registry)
    monkeypatch.undo()
    assert registry.aliases() == {CHALLENGER: "2", CHAMPION: "2", PREVIOUS: "1"}

    move = promote(registry)

    assert (move.champion, move.before) == ("2", "1")
    assert registry.aliases() == {CHAMPION: "2", PREVIOUS: "1"}


@pytest.mark.parametrize("after", [PREVIOUS, CHAMPION])
def test_a_promotion_at_the_same_time_is_a_conflict(registry, monkeypatch, after):
    """Another session moves the champion right after this one moved an alias."""
    for champion in (None, "1"):
        challenge(registry, beside=champion)
        promote(registry)
    challenge(registry, beside="2")
    other = Registry(registry.settings)
    point = registry.point

    def point_while_another_does(alias: str, number: str | None) -> None:
        point(alias, number)
        if alias == after:
            other.point(PREVIOUS, "1")
            other.point(CHAMPION, "1")

    monkeypatch.setattr(registry, "point", point_while_another_does)

    with pytest.raises(RegistryConflict, match="somebody else changed the registry meanwhile"):
        promote(registry)


def test_a_challenger_registered_during_a_promotion_stays_challenger(registry, monkeypatch):
    challenge(registry, beside=None)
    point = registry.point

    def point_while_another_registers(alias: str, number: str | None) -> None:
        point(alias, number)
        if alias == CHAMPION:
            monkeypatch.undo()
            challenge(registry, beside=None)

    monkeypatch.setattr(registry, "point", point_while_another_registers)

    promote(registry)

    assert registry.aliases() == {CHALLENGER: "2", CHAMPION: "1"}
