"""Early exit: which rule the clips give, what it is promised to do, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from services.clip import CLIP_FRAMES
from services.inference import EarlyExit, VerdictRule
from training.errors import InvalidRun
from training.evaluation.effort import measure_effort
from training.evaluation.exit_rule import Answers, FrameLogits, find_rule, find_threshold, spread
from training.fit.operating import Operating, read_rule
from training.statistics.estimate import Bootstrap

OPERATING = Operating(1.0, -1.0, VerdictRule(show=0.5, one_of=0.9, kind=2.0))


def drawn(clips: int, *, doubt: float, seed: int = 0) -> FrameLogits:
    """Clips of three shows: some plain, some whose frames are of several minds, and some of other things."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, clips)
    strength = rng.choice([6.0, 0.6], clips, p=[1 - doubt, doubt])
    labels[rng.random(clips) < 0.2 * (strength < 1)] = 3
    logits = rng.normal(0, 1, (clips, CLIP_FRAMES, 4))
    logits[np.arange(clips), :, labels] += strength[:, None]
    return FrameLogits(
        logits.astype(np.float32), labels, np.arange(clips) % 4, np.arange(clips), ("Ada", "Bea", "Cem")
    )


def test_frames_are_spread_over_the_clip() -> None:
    assert spread(1) == (5,)
    assert spread(3) == (1, 5, 8)
    assert spread(CLIP_FRAMES) == tuple(range(CLIP_FRAMES))
    for count in range(1, CLIP_FRAMES + 1):
        assert len(set(spread(count))) == count
        assert spread(count)[0] - 0 <= CLIP_FRAMES - spread(count)[-1]


# The threshold


def test_the_threshold_is_above_the_first_change_beyond_the_limit() -> None:
    largest = np.linspace(0, 1, 1001)
    differs = np.zeros(1001, bool)
    differs[[400, 500, 600, 700, 800, 900]] = True  # of 1,001 four may differ, with 95 % confidence

    threshold = find_threshold(largest, differs, np.arange(1001))

    assert float(beta.ppf(0.95, 5, 1001 - 4)) <= 0.01 < float(beta.ppf(0.95, 6, 1001 - 5))
    assert threshold == largest[501]


def test_every_clip_may_stop_if_no_answer_differs() -> None:
    assert find_threshold(np.linspace(0.2, 1, 500), np.zeros(500, bool), np.arange(500)) == 0.2


def test_too_few_clips_give_no_threshold() -> None:
    assert find_threshold(np.ones(200), np.zeros(200, bool), np.arange(200)) is None  # 1 % takes 299 at least
    assert find_threshold(np.ones(900), np.zeros(900, bool), np.arange(900) // 9) is None


def test_there_is_no_threshold_if_the_surest_answers_differ() -> None:
    largest, differs = np.linspace(0, 1, 1000), np.zeros(1000, bool)
    differs[-50:] = True

    assert find_threshold(largest, differs, np.arange(1000)) == largest[-4]  # four of them are allowed
    assert find_threshold(np.ones(1000), differs, np.arange(1000)) is None


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 0.2), groups=st.integers(300, 900))
def test_no_more_groups_are_changed_than_the_bound_allows(seed: int, share: float, groups: int) -> None:
    rng = np.random.default_rng(seed)
    largest = rng.random(1000).round(2)  # with ties
    differs, group = rng.random(1000) < share, rng.integers(0, groups, 1000)

    threshold = find_threshold(largest, differs, group)

    if threshold is not None:
        changed = len(np.unique(group[differs & (largest >= threshold)]))
        units = len(np.unique(group))
        assert float(beta.ppf(0.95, changed + 1, units - changed)) <= 0.01


# The rule and the report


def test_the_rule_computes_few_frames_when_they_suffice() -> None:
    rule = find_rule(drawn(1000, doubt=0.3), OPERATING)

    assert rule is not None
    assert len(rule.frames) <= 3
    assert 0.5 < rule.threshold < 1


def test_another_verdict_is_another_answer() -> None:
    judged = drawn(1000, doubt=0.3)
    whole, first = (Answers.of(judged, frames, OPERATING) for frames in (range(CLIP_FRAMES), spread(1)))

    same_show = first.best == whole.best
    other_verdict = np.array([a != b for a, b in zip(first.verdicts, whole.verdicts, strict=True)])

    assert (same_show & other_verdict).any()
    assert (first.differs(whole) == (~same_show | other_verdict)).all()


def test_the_report_judges_rules_on_other_folds() -> None:
    judged = drawn(1200, doubt=0.3)

    report = measure_effort(judged, OPERATING, recipe="drawn", bootstrap=Bootstrap(200))

    assert [each.frames for each in report.curve] == list(range(1, 11))
    assert report.curve[-1].same.value == 1
    assert report.curve[0].accuracy.value < report.curve[-1].accuracy.value
    assert [each.clips for each in report.followed] == ["of known shows", "of other things", "all"]
    everything = report.followed[-1]
    assert everything.count == 1200
    assert everything.saved.value == pytest.approx(1 - everything.frames.value / 10)
    assert everything.saved.value > 0.3
    assert everything.changed.value < 0.02
    assert abs(report.change.value) < 0.02


def test_the_report_is_written_and_its_rule_read_back(tmp_path: Path) -> None:
    report = measure_effort(drawn(600, doubt=0.2), OPERATING, recipe="drawn", bootstrap=Bootstrap(100))

    report.write(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"effort.json", "effort.md", "effort.png"}
    assert "early exit" in (tmp_path / "effort.md").read_text()
    assert read_rule(tmp_path / "effort.json") == report.rule
    assert isinstance(report.rule, EarlyExit)


def test_a_report_without_a_rule_says_so(tmp_path: Path) -> None:
    report = measure_effort(drawn(60, doubt=0.2), OPERATING, recipe="drawn", bootstrap=Bootstrap(100))
    report.write(tmp_path)

    assert report.rule is None
    assert "none" in report.markdown()
    with pytest.raises(InvalidRun, match="it found no rule for early exit"):
        read_rule(tmp_path / "effort.json")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"rule": {"frames": [1]}}', '{"rule": {"frames": [], "threshold": 1}}'],
)
def test_other_files_than_reports_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "effort.json"
    path.write_text(content)

    with pytest.raises(InvalidRun, match=r"not an effort\.json"):
        read_rule(path)
