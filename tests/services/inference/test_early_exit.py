"""Some frames before the others: when they decide, and that both parts together say what the whole says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clip import CLIP_FRAMES, Clip
from services.errors import ModelError
from services.inference import Classifier, EarlyExit, ModelOutputs
from services.inference.early_exit import combine, look
from tests.support.models import EARLY_EXIT, early_exit_model

ClipOf = Callable[..., Clip]
RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (128, 128, 128)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


class Mean:
    """A model whose pixels are its logits, of a show in each row of the first column; it counts frames."""

    def __init__(self, shows: int) -> None:
        self.shows, self.asked = shows, 0

    def __call__(self, clips: np.ndarray) -> ModelOutputs:
        self.asked += clips.shape[1]
        logits = clips[:, :, : self.shows, 0, 0].astype(np.float64) / 8
        whole = softmax(logits.mean(axis=1))
        return ModelOutputs(whole, softmax(logits), whole, whole.max(axis=1))


rules = st.builds(
    EarlyExit,
    st.sets(st.integers(0, CLIP_FRAMES - 1), min_size=1, max_size=CLIP_FRAMES - 1).map(
        lambda frames: tuple(sorted(frames))
    ),
    st.floats(0, 1),
)


@given(rule=rules, seed=st.integers(0, 2**32 - 1), shows=st.integers(1, 30))
def test_two_parts_say_what_all_frames_say_and_no_frame_is_looked_at_twice(
    rule: EarlyExit, seed: int, shows: int
) -> None:
    clip = np.random.default_rng(seed).integers(0, 256, (CLIP_FRAMES, 32, 1, 3), np.uint8)
    run = Mean(shows)

    seen, whole = look(run, clip, rule), look(Mean(shows), clip, None)

    assert seen.frames in (rule.frames, tuple(range(CLIP_FRAMES)))
    assert run.asked == len(seen.frames) == len(seen.frame_probabilities)
    if len(seen.frames) == CLIP_FRAMES:
        np.testing.assert_allclose(seen.probabilities, whole.probabilities, rtol=2e-5, atol=1e-7)
        np.testing.assert_allclose(seen.familiarity, whole.familiarity, rtol=2e-5)
        np.testing.assert_array_equal(seen.frame_probabilities, whole.frame_probabilities)
    else:
        assert seen.probabilities.max() >= rule.threshold


@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0, 8))
def test_frames_together_are_the_softmax_of_their_mean_logits(seed: int, spread: float) -> None:
    logits = np.random.default_rng(seed).normal(0, spread, (2, 10, 6))

    together = combine(softmax(logits))

    np.testing.assert_allclose(together, softmax(logits.mean(axis=1)), rtol=1e-4, atol=1e-7)


def test_where_a_probability_is_too_small_for_its_logarithm_all_frames_are_looked_at_at_once() -> None:
    class Sharp(Mean):
        def __call__(self, clips: np.ndarray) -> ModelOutputs:
            self.asked += clips.shape[1]
            logits = clips[:, :, : self.shows, 0, 0].astype(np.float64)
            whole = softmax(logits.mean(axis=1))
            return ModelOutputs(whole, softmax(logits), whole, whole.max(axis=1))

    clip = np.zeros((CLIP_FRAMES, 2, 1, 3), np.uint8)
    clip[:5, 0], clip[5:, 1] = 254, 255  # one show's probability in each frame is exp(-254), which is 0
    run = Sharp(2)

    seen = look(run, clip, EarlyExit((2, 7), 1.0))

    assert run.asked == 2 + 8 + CLIP_FRAMES
    np.testing.assert_allclose(seen.probabilities, softmax(np.array([127.0, 127.5])), rtol=1e-5)


# With a real session


def test_a_plain_clip_is_decided_by_its_first_frames(early_exit_path: Path, clip_of: ClipOf) -> None:
    classifier = Classifier(early_exit_path, early_exit=True)
    clip = clip_of(RED)

    prediction = classifier.classify(clip)

    assert classifier.rule == EarlyExit((2, 5, 8), 0.9)
    assert [vote.timestamp_ms for vote in prediction.frames] == [clip.timestamps_ms[at] for at in (2, 5, 8)]
    assert prediction.known
    assert prediction.shows[0].show == "Red Show"


def test_a_clip_of_two_minds_is_looked_at_whole_and_answered_as_if_at_once(
    early_exit_path: Path, clip_of: ClipOf
) -> None:
    clip = clip_of(RED, BLUE, (200, 120, 90))

    early = Classifier(early_exit_path, early_exit=True).classify(clip)
    whole = Classifier(early_exit_path).classify(clip)

    assert len(early.frames) == CLIP_FRAMES
    assert early.frames == whole.frames
    assert early.known == whole.known
    assert [ranked.show for ranked in early.shows] == [ranked.show for ranked in whole.shows]
    for one, other in zip(early.shows, whole.shows, strict=True):
        assert one.probability == pytest.approx(other.probability, rel=1e-5)


def test_whoever_asks_for_exact_probabilities_gets_those_of_all_frames(
    early_exit_path: Path, clip_of: ClipOf
) -> None:
    classifier, clip = Classifier(early_exit_path, early_exit=True), clip_of(RED, RED, RED, RED, BLUE)

    assert classifier.classify(clip, exact=True) == Classifier(early_exit_path).classify(clip)


def test_without_the_setting_the_rule_is_not_followed(early_exit_path: Path, clip_of: ClipOf) -> None:
    assert len(Classifier(early_exit_path).classify(clip_of(RED)).frames) == CLIP_FRAMES


def test_a_clip_that_is_not_known_is_never_decided_early(early_exit_path: Path, clip_of: ClipOf) -> None:
    prediction = Classifier(early_exit_path, early_exit=True).classify(clip_of(GREY))

    assert not prediction.known
    assert len(prediction.frames) == CLIP_FRAMES


# Files whose rule is none


def test_a_file_without_a_rule_says_so_where_it_is_asked_for_one(model_path: Path) -> None:
    assert Classifier(model_path).rule is None
    with pytest.raises(ModelError, match="it holds no rule for early exit"):
        Classifier(model_path, early_exit=True)


def test_a_rule_in_a_file_of_ten_frames_is_refused(save_model: Callable[..., Path]) -> None:
    path = save_model(metadata={"early_exit": json.dumps(EARLY_EXIT)})

    with pytest.raises(ModelError, match="takes no clips of fewer frames"):
        Classifier(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("often", "must be a JSON object of frames and threshold"),
        ('{"frames": [1]}', "must be a JSON object of frames and threshold"),
        ('{"frames": 3, "threshold": 0.5}', "must hold whole numbers and a threshold"),
        ('{"frames": [1.5], "threshold": 0.5}', "must hold whole numbers and a threshold"),
        ('{"frames": [true], "threshold": 0.5}', "must hold whole numbers and a threshold"),
        ('{"frames": [], "threshold": 0.5}', "is no rule: frames must grow"),
        ('{"frames": [5, 2], "threshold": 0.5}', "is no rule: frames must grow"),
        ('{"frames": [2, 10], "threshold": 0.5}', r"is no rule: frames must lie in 0\.\.9"),
        ('{"frames": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "threshold": 0.5}', "is no rule: frames must grow"),
        ('{"frames": [2], "threshold": 1.5}', r"is no rule: threshold must lie in 0\.\.1"),
        ('{"frames": [2], "threshold": NaN}', r"is no rule: threshold must lie in 0\.\.1"),
    ],
)
def test_what_is_no_rule_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(early_exit_model(metadata={"early_exit": text}), path)

    with pytest.raises(ModelError, match=says):
        Classifier(path)
