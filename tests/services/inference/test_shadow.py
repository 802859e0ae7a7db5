"""The shadow: a challenger beside a model that changes no answer, and the line of each comparison."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.clip import Clip
from services.errors import ModelError
from services.inference import Classifier
from services.inference.shadow import WAITING, Compared, Shadow, read_compared
from tests.support.models import BLUE, GREEN, RED, save_candidate
from tests.support.steps import HeldClassifier

ClipOf = Callable[..., Clip]
Logged = Callable[[], list[Compared]]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Logged]:
    """A function that returns the comparisons that were logged."""

    def read() -> list[Compared]:
        records = [{**vars(record), "message": record.getMessage()} for record in caplog.records]
        plain = [json.loads(json.dumps(record, default=str)) for record in records]
        return [found for record in plain if (found := read_compared(record)) is not None]

    with caplog.at_level(logging.INFO):
        yield read


@pytest.fixture
def same(tmp_path: Path) -> Path:
    return save_candidate(tmp_path / "same.onnx", version="2.0")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A challenger that takes red for green."""
    return save_candidate(tmp_path / "other.onnx", version="2.0", shows=(GREEN, RED, BLUE))


def test_a_challenger_that_agrees_and_one_that_does_not(
    model_path: Path, same: Path, other: Path, clip_of: ClipOf, logged: Logged
) -> None:
    for challenger in (same, other):
        shadow = Shadow(challenger, share=1)
        Classifier(model_path, shadow=shadow).classify(clip_of((255, 0, 0)))
        shadow.drain()

    agreed, disagreed = logged()
    assert (agreed.champion, agreed.challenger, agreed.agree) == ("1.2.3", "2.0", True)
    assert (disagreed.agree, disagreed.names, disagreed.challenger_names) == (False, (RED,), (GREEN,))
    assert (disagreed.verdict, disagreed.challenger_verdict, disagreed.error) == ("show", "show", None)
    assert disagreed.classify_ms > 0
    assert disagreed.challenger_ms > 0


def test_an_answer_is_the_same_with_and_without_it(model_path: Path, other: Path, clip_of: ClipOf) -> None:
    shadow = Shadow(other, share=1)

    assert Classifier(model_path, shadow=shadow).classify(clip_of((0, 0, 255))) == Classifier(
        model_path
    ).classify(clip_of((0, 0, 255)))
    shadow.drain()


def test_only_a_share_of_the_clips_is_compared(
    model_path: Path, same: Path, clip_of: ClipOf, logged: Logged
) -> None:
    draws = iter([0.1, 0.9, 0.29, 0.3])
    shadow = Shadow(same, share=0.3, draw=lambda: next(draws))
    classifier = Classifier(model_path, shadow=shadow)

    for _ in range(4):
        classifier.classify(clip_of((255, 0, 0)))
        shadow.drain()

    assert len(logged()) == 2


def test_a_busy_challenger_delays_no_answer_and_says_what_it_passed_over(
    model_path: Path, same: Path, clip_of: ClipOf, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldClassifier(same)
    monkeypatch.setattr("services.inference.shadow.Classifier", lambda path: held)
    shadow = Shadow(same, share=1)
    classifier = Classifier(model_path, shadow=shadow)

    answers = [classifier.classify(clip_of((255, 0, 0))) for _ in range(WAITING + 3)]
    held.go.set()
    shadow.drain()
    classifier.classify(clip_of((255, 0, 0)))
    shadow.drain()

    assert len(answers) == WAITING + 3
    assert [each.passed_over for each in logged()] == [0] * WAITING + [3]


FAULTS = {"MODEL_ERROR": ModelError("model.onnx", "it does not run"), "INTERNAL_ERROR": ZeroDivisionError()}


@pytest.mark.parametrize("reason", FAULTS)
def test_a_challenger_that_fails_fails_no_answer(
    model_path: Path, clip_of: ClipOf, logged: Logged, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    shadow = Shadow(model_path, share=1)

    def fail(*words: Any) -> None:
        raise FAULTS[reason]

    monkeypatch.setattr(shadow._challenger, "classify", fail)
    prediction = Classifier(model_path, shadow=shadow).classify(clip_of((255, 0, 0)))
    shadow.drain()

    [line] = logged()
    assert prediction.shows[0].show == RED
    assert (line.agree, line.challenger_verdict, line.error) == (False, None, reason)


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_a_share_is_above_0_and_at_most_1(same: Path, share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Shadow(same, share=share)


def test_a_challenger_that_is_no_model_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        Shadow(tmp_path / "missing.onnx")


@pytest.mark.parametrize("damage", [{"verdict": "sure"}, {"names": None}, {"challenger_verdict": None}])
def test_a_damaged_line_is_an_error(damage: dict[str, Any]) -> None:
    line = Compared("1", "2", True, "show", ("A",), "show", ("A",), 1.0, 2.0, 0)
    record = {"message": "shadow", **vars(line)}

    assert read_compared(record) == line
    assert read_compared({"message": "request"}) is None
    with pytest.raises(ValueError, match="damaged"):
        read_compared({**record, **damage})
