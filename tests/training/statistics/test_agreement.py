"""When one model may stand in for another."""

import dataclasses
import json

import pytest

from training.errors import InvalidRun
from training.statistics.agreement import measure_agreement, require_agreement

Answers = list[tuple[str, int]]


def answers(clips: int, *, differ: int = 0, wrong: int = 0) -> tuple[Answers, Answers, list[int]]:
    """Stand-in, original and labels of three shows; some answers differ, and some of these become wrong."""
    labels = [clip % 3 for clip in range(clips)]
    original = [("show", (label + (clip < differ - wrong)) % 3) for clip, label in enumerate(labels)]
    stand_in = [("show", (label + (clip >= clips - wrong)) % 3) for clip, label in enumerate(labels)]
    return stand_in, original, labels


@pytest.mark.parametrize(
    ("differ", "wrong", "agreement", "change", "passed"),
    [
        (0, 0, 1.0, 0.0, True),
        (14, 0, 0.93, 0.07, True),
        (15, 0, 0.925, 0.075, False),
        (2, 2, 0.99, -0.01, True),
        (3, 3, 0.985, -0.015, False),
    ],
)
def test_it_may_stand_in_when_it_agrees_and_loses_little(differ, wrong, agreement, change, passed):
    report = measure_agreement("int8", *answers(200, differ=differ, wrong=wrong))

    assert report.agreement.value == pytest.approx(agreement)
    assert report.change.value == pytest.approx(change)
    assert report.passed is passed
    [table] = report.tables()
    assert ("may stand in" in table.markdown()) is passed


def test_another_verdict_is_another_answer_and_other_things_are_never_right() -> None:
    labels = [0] * 90 + [-1] * 10
    original = [("show", 0)] * 90 + [("unknown", 0)] * 10

    report = measure_agreement("int8", [*original[:90], *[("show", 0)] * 10], original, labels)

    assert report.agreement.value == pytest.approx(0.9)
    assert report.change.value == 0


def test_an_evaluation_is_asked_before_an_export(tmp_path):
    path = tmp_path / "evaluation.json"
    good = measure_agreement("int8", *answers(200))

    path.write_text(json.dumps({"agreement": good.to_json()}))
    require_agreement(path)

    path.write_text(json.dumps({"agreement": dataclasses.replace(good, passed=False).to_json()}))
    with pytest.raises(InvalidRun, match="found int8 wanting"):
        require_agreement(path)
    for content, why in (("{}", "did not judge"), ("[]", "not an evaluation"), ("{", "not an evaluation")):
        path.write_text(content)
        with pytest.raises(InvalidRun, match=why):
            require_agreement(path)
