import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import InvalidOptions
from training.registry.contender import Contender, EvaluationSet
from training.registry.gate import GateOptions, judge

SHOWS = ("Large", "Middle", "Small", "Tiny")
CLIPS = (200, 60, 12, 4)
LABELS = np.repeat(np.arange(len(SHOWS)), CLIPS)
QUICK = GateOptions(resamples=1000)


def evaluation_set(**changes) -> EvaluationSet:
    groups = np.array([f"scene {index}" for index in range(len(LABELS))])
    made = EvaluationSet("e" * 64, SHOWS, LABELS, groups)
    return dataclasses.replace(made, **changes)


def contender(wrong=(), *, sure=0.9, **changes) -> Contender:
    """A model that is wrong on the clips of these numbers, and as sure of each answer as said."""
    answers = LABELS.copy()
    answers[list(wrong)] = (answers[list(wrong)] + 1) % len(SHOWS)
    probabilities = np.full((len(LABELS), len(SHOWS)), (1 - sure) / (len(SHOWS) - 1))
    probabilities[np.arange(len(LABELS)), answers] = sure
    made = Contender(
        version="2",
        sha256="2" * 64,
        size_bytes=7_000_000,
        training_data_sha256="d" * 64,
        probabilities=probabilities,
        known=np.ones(len(LABELS), bool),
        latency_ms=np.full(len(LABELS), 30.0),
    )
    return dataclasses.replace(made, **changes)


def first(show: str, count: int) -> list[int]:
    """Numbers of the first clips of a show."""
    return list(np.flatnonzero(SHOWS.index(show) == LABELS)[:count])


CHAMPION = contender(range(0, 276, 10), version="1", sha256="1" * 64)


@given(wrong=st.sets(st.integers(0, len(LABELS) - 1)), sure=st.floats(0.3, 1.0))
def test_every_model_within_the_bounds_passes_beside_itself(wrong, sure):
    model = contender(wrong, sure=sure)

    verdict = judge(evaluation_set(), model, model, options=GateOptions(resamples=100))

    assert verdict.passed
    assert verdict.change is not None
    assert (verdict.change.value, verdict.change.low, verdict.change.high) == (0, 0, 0)
    assert "Both versions hold the same file." in verdict.remarks


@pytest.mark.parametrize(("extra", "passed"), [(5, True), (6, False)])
def test_the_overall_difference_must_be_within_the_margin(extra, passed):
    """276 clips, margin 0.02: five more mistakes are 0.018, six are 0.022."""
    wrong = set(range(0, 276, 10)) | set(range(1, 10 * extra, 10))

    verdict = judge(evaluation_set(), contender(wrong), CHAMPION, options=QUICK)

    assert verdict.passed is passed
    assert verdict.failed == (() if passed else ("accuracy",))
    assert any("do not rule out a loss of more than 0.020" in remark for remark in verdict.remarks)


@pytest.mark.parametrize(
    ("lost", "failed"),
    [
        (1, False),  # 0.083 of twelve clips: within the margin
        (2, False),  # 0.167: beyond the margin, and within what chance does to twelve clips
        (6, True),  # half of the show
    ],
)
def test_a_small_show_is_lost_only_beyond_chance(lost, failed):
    good = contender(version="1")
    options = dataclasses.replace(QUICK, margin=0.05)

    verdict = judge(evaluation_set(), contender(first("Small", lost)), good, options=options)

    [small] = [show for show in verdict.shows if show.show == "Small"]
    assert small.clips == 12
    assert small.change.value == pytest.approx(-lost / 12)
    assert small.lost is failed
    assert verdict.failed == (("every show",) if failed else ())


def test_a_loss_hidden_by_a_gain_elsewhere_is_found():
    champion = contender(first("Large", 40), version="1")
    challenger = contender(first("Middle", 20))

    verdict = judge(evaluation_set(), challenger, champion, options=QUICK)

    assert verdict.change is not None
    assert verdict.change.value > 0
    assert verdict.failed == ("every show",)
    assert verdict.shows[0].show == "Middle"


def test_clips_of_one_group_are_resampled_together():
    """Six clips of one scene are one mistake, not six."""
    groups = np.array([f"scene {index}" for index in range(len(LABELS))])
    groups[first("Small", 6)] = "one scene"
    options = dataclasses.replace(QUICK, margin=0.05)

    verdict = judge(
        evaluation_set(groups=groups),
        contender(first("Small", 6)),
        contender(version="1"),
        options=options,
    )

    assert verdict.passed


def test_for_a_show_of_one_group_the_margin_alone_decides():
    groups = np.array([SHOWS[label] for label in LABELS])
    options = dataclasses.replace(QUICK, margin=0.05)

    verdict = judge(
        evaluation_set(groups=groups), contender(first("Small", 2)), contender(version="1"), options=options
    )

    assert verdict.failed == ("every show",)


def test_shows_of_few_clips_are_judged_together():
    verdict = judge(evaluation_set(), contender(first("Tiny", 4)), contender(version="1"), options=QUICK)

    assert [show.show for show in verdict.shows if show.lost] == ["shows of fewer than 10 clips, together"]


def test_a_worse_champion_widens_the_bound_of_calibration():
    unsure = contender(sure=0.5)

    alone = judge(evaluation_set(), unsure, contender(version="1", sure=0.95), options=QUICK)
    beside = judge(evaluation_set(), unsure, contender(version="1", sure=0.5), options=QUICK)

    assert alone.failed == ("calibration",)
    assert beside.passed


def test_large_models_and_those_that_learned_from_the_set_fail():
    heavy = contender(size_bytes=14_000_001)
    taught = contender(training_data_sha256="e" * 64)

    assert judge(evaluation_set(), heavy, CHAMPION, options=QUICK).failed == ("size",)
    assert judge(evaluation_set(), taught, CHAMPION, options=QUICK).failed == ("held out",)


def test_without_a_champion_only_absolute_limits_count_and_it_says_so():
    bad = contender(range(200), sure=0.3)

    verdict = judge(evaluation_set(), bad, None, options=QUICK)

    assert verdict.passed
    assert [check.name for check in verdict.checks] == ["held out", "calibration", "size"]
    assert "There is no champion yet" in verdict.remarks[0]


@pytest.mark.parametrize("sure", [0.4, 0.43, 0.46, 0.57, 0.9])
def test_a_first_champion_that_names_six_clips_right_passes_with_little_confidence(sure):
    """As on the first tour of docs/pipeline.md, where the confidence is 0.57."""
    labels = np.array([0, 0, 1, 1, 2, 2])
    clips = evaluation_set(labels=labels, groups=np.arange(6).astype(str))
    probabilities = np.where(np.arange(4) == labels[:, None], sure, (1 - sure) / 3)
    few = contender(probabilities=probabilities, known=np.ones(6, bool), latency_ms=np.ones(6))

    assert judge(clips, few, None, options=QUICK).passed


def test_a_remark_names_another_evaluation_set_of_the_champion():
    same = judge(evaluation_set(), contender(), CHAMPION, options=QUICK, champion_evaluation_sha256="e" * 64)
    other = judge(evaluation_set(), contender(), CHAMPION, options=QUICK, champion_evaluation_sha256="f" * 64)

    assert not any("another evaluation set" in remark for remark in same.remarks)
    assert any("another evaluation set (ffffffffffff)" in remark for remark in other.remarks)


def test_the_verdict_as_markdown_and_as_json():
    verdict = judge(evaluation_set(), contender(range(60)), CHAMPION, options=QUICK)

    text = verdict.markdown()
    values = json.loads(json.dumps(verdict.to_json()))

    assert text.startswith("**Challenger version 2 beside champion version 1: does not pass**")
    assert "| accuracy |" in text
    assert "FAILED" in text
    assert values["passed"] is False
    assert values["options"]["margin"] == 0.02
    assert {"top-1 accuracy", "p50 latency, ms"} <= {figure["name"] for figure in values["figures"]}


@pytest.mark.parametrize(
    "text",
    [
        '{"margin": 0.05, "min_clips": 3}',
        "margin: 0.05\nmin_clips: 3\n",
        "fit:\n  folds: 6\ngate:\n  margin: 0.05\n  min_clips: 3\n",
    ],
)
def test_options_are_read_alone_or_under_gate(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)

    options = GateOptions.read(tmp_path / "params.yaml")

    assert options == GateOptions(margin=0.05, min_clips=3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"margins": 1}, "gate must be of margin, show_margin"),
        ({"margin": 1.5}, "gate.margin must be less than or equal to 1, this is 1.5"),
        ({"margin": "2 %"}, "gate.margin must be a valid number, this is 2 %"),
        ({"min_clips": 2.5}, "gate.min_clips must be a valid integer"),
        ({"min_clips": True}, "gate.min_clips must be a valid integer"),
        ({"resamples": 1}, "gate.resamples must be greater than or equal to 100"),
        ([], "must be a mapping"),
        ("gate: [", "a file of settings"),
    ],
)
def test_invalid_options_are_refused_by_name(tmp_path, values, message):
    (tmp_path / "gate.json").write_text(values if isinstance(values, str) else json.dumps(values))

    with pytest.raises(InvalidOptions, match=message.replace(".", r"\.")):
        GateOptions.read(tmp_path / "gate.json")
