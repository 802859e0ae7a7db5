import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import InvalidRun
from training.statistics.comparison import (
    compare_systems,
    measure_agreement,
    measure_robustness,
    paired_difference,
    require_agreement,
)
from training.statistics.estimate import Bootstrap

QUICK = Bootstrap(resamples=500)
GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 4, 200)
WEAK = np.eye(4)[LABELS] + GENERATOR.normal(0, 1.2, (200, 4))
STRONG = WEAK + np.eye(4)[LABELS]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_the_difference_changes_its_sign_with_the_sides(pairs: list[tuple[bool, bool]]) -> None:
    first, second = np.array(pairs).T

    ours = paired_difference(first, second, bootstrap=QUICK)
    theirs = paired_difference(second, first, bootstrap=QUICK)

    assert (ours.value, ours.low, ours.high) == pytest.approx((-theirs.value, -theirs.high, -theirs.low))


def test_pairing_finds_a_difference_that_separate_intervals_hide() -> None:
    # Two systems that fail on the same hard clips; the second fails on 10 more of 200.
    first = np.arange(200) >= 80
    second = np.arange(200) >= 90

    found = paired_difference(first, second, bootstrap=QUICK)
    apart = [QUICK.estimate(lambda w, v=v: w @ v / w.sum(axis=1), 200) for v in (first * 1.0, second * 1.0)]

    assert found.value == pytest.approx(0.05)
    assert found.excludes_zero
    assert apart[0].low < apart[1].high


def test_two_sides_must_be_of_the_same_clips() -> None:
    with pytest.raises(ValueError, match="same clips"):
        paired_difference([1, 0], [1, 0, 1])


def test_systems_are_compared_with_the_baseline() -> None:
    systems = {"plain": WEAK, "better": STRONG, "same": WEAK.copy()}

    report = compare_systems(systems, LABELS, baseline="plain", bootstrap=QUICK)

    plain, better, same = report.systems
    assert plain.gain is None
    assert better.gain is not None and same.gain is not None
    assert better.gain.value == pytest.approx(
        better.top_k[0].accuracy.value - plain.top_k[0].accuracy.value, abs=1e-12
    )
    assert better.gain.excludes_zero and not same.gain.excludes_zero
    assert same.gain.value == 0
    json.dumps(report.to_json(), allow_nan=False)
    assert report.markdown().count("\n| ") == 4
    with pytest.raises(ValueError, match="no system is named 'missing'"):
        compare_systems(systems, LABELS, baseline="missing", bootstrap=QUICK)


def test_robustness_is_the_change_from_the_unchanged_clips() -> None:
    report = measure_robustness(STRONG, {"mirrored": STRONG, "tinted": WEAK}, LABELS, bootstrap=QUICK)

    mirrored, tinted = report.disturbances
    assert mirrored.change.value == 0
    assert tinted.accuracy.value - report.plain.value == pytest.approx(tinted.change.value)
    assert tinted.change.excludes_zero
    json.dumps(report.to_json(), allow_nan=False)
    assert "| tinted | " in report.markdown()


def test_disturbed_clips_must_be_the_same_clips() -> None:
    with pytest.raises(ValueError, match="labels must have shape"):
        measure_robustness(STRONG, {"tinted": WEAK[:-1]}, LABELS, bootstrap=QUICK)


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
def test_a_stand_in_passes_if_it_agrees_and_loses_little(differ, wrong, agreement, change, passed):
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


def test_an_export_requires_an_evaluation_that_passed(tmp_path):
    path = tmp_path / "evaluation.json"
    good = measure_agreement("int8", *answers(200))

    path.write_text(json.dumps({"agreement": good.to_json()}))
    require_agreement(path)

    path.write_text(json.dumps({"agreement": dataclasses.replace(good, passed=False).to_json()}))
    with pytest.raises(InvalidRun, match="found int8 too inexact"):
        require_agreement(path)
    for content, why in (("{}", "did not judge"), ("[]", "not an evaluation"), ("{", "not an evaluation")):
        path.write_text(content)
        with pytest.raises(InvalidRun, match=why):
            require_agreement(path)
