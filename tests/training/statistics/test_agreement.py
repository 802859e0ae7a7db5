"""When one model may stand in for another."""

import dataclasses
import json

import numpy as np
import pytest

from training.errors import InvalidRun
from training.statistics.agreement import measure_agreement, require_agreement


def answers(clips: int, *, differ: int = 0, wrong: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stand-in, original and labels of three shows; some answers differ, and some of these become wrong."""
    labels = np.arange(clips) % 3
    original = np.eye(3)[labels] * 0.8 + 0.2 / 3
    original[: differ - wrong] = np.roll(original[: differ - wrong], 1, axis=1)
    stand_in = original.copy()
    stand_in[: differ - wrong] = np.eye(3)[labels[: differ - wrong]]
    stand_in[clips - wrong :] = np.roll(stand_in[clips - wrong :], 1, axis=1)
    return stand_in, original, labels


@pytest.mark.parametrize(
    ("differ", "wrong", "agreement", "change", "passed"),
    [
        (0, 0, 1.0, 0.0, True),
        (6, 0, 0.97, 0.03, True),
        (7, 0, 0.965, 0.035, False),
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
