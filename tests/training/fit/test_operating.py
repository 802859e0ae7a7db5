"""Temperature and thresholds, on answers whose truth is drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inference import VerdictRule
from training.errors import InvalidRun
from training.fit.operating import (
    KIND_RIGHT,
    NEVER,
    ONE_OF_RIGHT,
    SHOW_OF_OTHERS,
    SHOW_RIGHT,
    Operating,
    find_operating,
)

SHOWS = ("Ada", "Bea", "Cem", "Dee")
KINDS = {"Ada": "anime", "Bea": "anime", "Cem": "live action", "Dee": "live action"}


def drawn(seed: int, *, skill: float, clips: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of clips of four shows and, a third of them, of other things."""
    random = np.random.default_rng(seed)
    labels = np.where(random.random(clips) < 1 / 3, 4, random.integers(4, size=clips))
    logits = random.normal(size=(clips, 5)) + skill * np.eye(5)[labels]
    kind = np.isin(labels, (0, 1))[:, None] * [1, 1, 0, 0, 0] + np.isin(labels, (2, 3))[:, None] * [
        0,
        0,
        1,
        1,
        0,
    ]
    return logits + 1.5 * kind, labels


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 4))
def test_each_level_keeps_its_share_of_right_answers(seed: int, skill: float) -> None:
    logits, labels = drawn(seed, skill=skill)

    operating = find_operating(logits, labels, SHOWS, kinds=KINDS)

    verdicts = operating.verdicts(logits, SHOWS, KINDS)
    level = np.array([verdict.level for verdict in verdicts])
    known = labels < 4
    for name, promise in (("show", SHOW_RIGHT), ("one_of", ONE_OF_RIGHT), ("kind", KIND_RIGHT)):
        given_to = [
            (SHOWS[label], verdict)
            for label, verdict in zip(labels, verdicts, strict=True)
            if label < 4 and verdict.level == name
        ]
        if given_to:
            good = [
                KINDS[show] in each.names if name == "kind" else show in each.names for show, each in given_to
            ]
            assert np.mean(good) >= promise - 0.02  # float32 may move a clip over a threshold
    assert np.mean(level[~known] == "show") <= SHOW_OF_OTHERS + 0.01


def test_the_level_follows_how_sure_an_answer_is() -> None:
    logits, labels = drawn(0, skill=1.0, clips=1200)

    operating = find_operating(logits, labels, SHOWS, kinds=KINDS)

    assert operating.verdict is not None
    sure = np.array([[9.0, 0, 0, 0, 0]])
    torn = np.array([[6.0, 5.9, 0, 0, 0]])
    strange = np.array([[0.0, 0, 0, 0, 9]])
    [one], [two], [none] = (operating.verdicts(some, SHOWS, KINDS) for some in (sure, torn, strange))
    assert (one.level, one.names) == ("show", ("Ada",))
    assert (two.level, two.names) == ("one_of", ("Ada", "Bea"))
    assert none.level == "unknown"


def test_without_other_things_there_are_no_levels() -> None:
    logits, labels = drawn(0, skill=3.0)
    known = labels < 4

    operating = find_operating(logits[known][:, :4], labels[known], SHOWS)

    assert operating.verdict is None
    assert 0 < operating.threshold < 1  # a largest probability
    levels = [verdict.level for verdict in operating.verdicts(logits[known][:, :4], SHOWS)]
    assert np.mean(np.array(levels) == "unknown") == pytest.approx(0.1, abs=0.01)


def test_a_level_that_no_threshold_can_keep_is_never_given() -> None:
    logits, labels = drawn(0, skill=0.0)
    wrong = np.where(labels < 4, (labels + 2) % 4, 4)  # every show is another, of another kind

    logits = 5 * np.eye(5)[wrong] - np.eye(5)[labels] * (labels < 4)[:, None] + 0.1 * logits
    operating = find_operating(logits, labels, SHOWS, kinds=KINDS)

    assert operating.verdict == VerdictRule(NEVER, NEVER, NEVER)
    assert "never" in operating.markdown()


def test_it_is_read_back_from_an_evaluation(tmp_path) -> None:
    path = tmp_path / "evaluation.json"
    for operating in (Operating(1.5, -0.25, VerdictRule(0.8, 0.7, 0.9)), Operating(1.5, 0.5, None)):
        path.write_text(json.dumps({"operating": operating.to_json()}))
        assert Operating.read(path) == operating


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"operating": {"temperature": 1, "threshold": 0.3, "score": "probability"}}']
)
def test_other_files_than_evaluations_are_refused(tmp_path, content: str) -> None:
    path = tmp_path / "evaluation.json"
    path.write_text(content)

    with pytest.raises(InvalidRun, match="not an evaluation"):
        Operating.read(path)
