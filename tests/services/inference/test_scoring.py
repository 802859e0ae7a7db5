"""Early exit and equal frames: fewer frames are computed, and combined they give the results of all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clip import CLIP_FRAMES, CLIP_SHAPE, Clip
from services.errors import ModelError
from services.inference import Classifier, EarlyExit, ModelOutputs
from services.inference.scoring import combine, combine_familiarity, first_equal, score
from tests.support.models import EARLY_EXIT, early_exit_model, familiar_model

ClipOf = Callable[..., Clip]
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


class Mean:
    """A model whose pixels are its logits, a show in each row of the first column; it counts frames."""

    def __init__(self, shows: int, *, step: float = 1 / 8) -> None:
        self.shows, self.step, self.computed = shows, step, 0

    def __call__(self, clips: np.ndarray) -> ModelOutputs:
        self.computed += clips.shape[0] * clips.shape[1]
        logits = clips[:, :, : self.shows, 0, 0].astype(np.float64) * self.step
        whole = softmax(logits.mean(axis=1))
        return ModelOutputs(whole, softmax(logits), whole, whole.max(axis=1))


class Familiar(Mean):
    """The same with one more row, for "none of these"."""

    def __call__(self, clips: np.ndarray) -> ModelOutputs:
        outputs = super().__call__(clips)
        rows = clips[:, :, : self.shows + 1, 0, 0].astype(np.float64) * self.step
        shows, none = rows[..., :-1], rows[..., -1]
        return ModelOutputs(
            outputs.probabilities,
            outputs.frame_probabilities,
            rows.mean(axis=1, dtype=np.float32),
            (log_sum_exp(shows.mean(axis=1)) - none.mean(axis=1)).astype(np.float32),
            (log_sum_exp(shows) - none).astype(np.float32),
        )


def log_sum_exp(logits: np.ndarray) -> np.ndarray:
    most = logits.max(axis=-1)
    return np.asarray(most + np.log(np.exp(logits - most[..., np.newaxis]).sum(axis=-1)))


rules = st.builds(
    EarlyExit,
    st.sets(st.integers(0, CLIP_FRAMES - 1), min_size=1, max_size=CLIP_FRAMES - 1).map(
        lambda frames: tuple(sorted(frames))
    ),
    st.floats(0, 1),
)


@given(rule=rules, seed=st.integers(0, 2**32 - 1), shows=st.integers(1, 30))
def test_two_parts_give_the_result_of_all_frames_and_compute_each_once(
    rule: EarlyExit, seed: int, shows: int
) -> None:
    clip = np.random.default_rng(seed).integers(0, 256, (CLIP_FRAMES, 32, 1, 3), np.uint8)
    run = Mean(shows)

    seen, whole = score(run, clip, rule), score(Mean(shows), clip, None)

    assert seen.frames in (rule.frames, tuple(range(CLIP_FRAMES)))
    assert run.computed == len(seen.frames) == len(seen.frame_probabilities)
    if len(seen.frames) == CLIP_FRAMES:
        np.testing.assert_allclose(seen.probabilities, whole.probabilities, rtol=2e-5, atol=1e-7)
        np.testing.assert_allclose(seen.familiarity, whole.familiarity, rtol=2e-5)
        np.testing.assert_array_equal(seen.frame_probabilities, whole.frame_probabilities)
    else:
        assert seen.probabilities.max() >= rule.threshold


def test_all_frames_are_computed_at_once_if_a_probability_is_too_small() -> None:
    clip = np.zeros((CLIP_FRAMES, 3, 1, 3), np.uint8)
    clip[:5, 0], clip[5:, 1] = 254, 255  # one show's probability in each frame is exp(-254), which is 0

    parts, equal = Mean(2, step=1), Familiar(2, step=1)
    seen = score(parts, clip, EarlyExit((2, 7), 1.0)), score(equal, clip, None, distinct=True)

    assert (parts.computed, equal.computed) == (2 + 8 + CLIP_FRAMES, 2 + CLIP_FRAMES)
    assert (seen[0].frames, seen[1].frames) == (tuple(range(CLIP_FRAMES)), (0, 5))
    for each in seen:
        np.testing.assert_allclose(each.probabilities, softmax(np.array([127.0, 127.5])), rtol=1e-5)
        assert each.frame_probabilities.argmax(axis=1).tolist() == [int(at >= 5) for at in each.frames]


# Equal frames

# Which of five different pictures each of the ten frames shows.
shown = st.lists(st.integers(0, 4), min_size=CLIP_FRAMES, max_size=CLIP_FRAMES)


def clip_of_pictures(shown: list[int], seed: int) -> np.ndarray:
    """A clip of random pictures, some repeated."""
    pictures = np.random.default_rng(seed).integers(0, 256, (5, 32, 1, 3), np.uint8)
    pictures[:, -1, 0, 0] = range(5)  # so that they differ, if only in their last row
    return np.asarray(pictures[shown])


@given(shown=shown, seed=st.integers(0, 2**32 - 1))
def test_the_first_equal_frame_is_found(shown: list[int], seed: int) -> None:
    assert first_equal(clip_of_pictures(shown, seed)) == tuple(map(shown.index, shown))


@given(shown=shown, seed=st.integers(0, 2**32 - 1), shows=st.integers(1, 30))
def test_combining_with_counts_equals_combining_repeated_frames(
    shown: list[int], seed: int, shows: int
) -> None:
    outputs = Familiar(shows)(clip_of_pictures(shown, seed)[np.newaxis])
    firsts, counts = np.unique(list(map(shown.index, shown)), return_counts=True)
    votes, familiar = outputs.frame_probabilities[0], outputs.frame_familiarity
    assert familiar is not None

    together = combine(votes[firsts], counts.astype(np.float64))

    np.testing.assert_allclose(together, combine(votes), rtol=1e-5)
    np.testing.assert_allclose(together, outputs.probabilities[0], rtol=2e-5, atol=1e-7)
    once = combine_familiarity(votes[firsts], familiar[0, firsts], counts.astype(np.float64))
    assert once == pytest.approx(combine_familiarity(votes, familiar[0]), abs=1e-9)
    assert once == pytest.approx(float(outputs.familiarity[0]), abs=1e-4)


@given(shown=shown, seed=st.integers(0, 2**32 - 1), shows=st.integers(1, 30), rule=st.none() | rules)
def test_equal_frames_are_computed_once_and_counted_as_often_as_they_occur(
    shown: list[int], seed: int, shows: int, rule: EarlyExit | None
) -> None:
    clip, run = clip_of_pictures(shown, seed), Familiar(shows)

    seen, whole = score(run, clip, rule, distinct=True), score(Familiar(shows), clip, None)

    assert run.computed == len(seen.frames) == len(seen.frame_probabilities)
    np.testing.assert_array_equal(seen.frame_probabilities, whole.frame_probabilities[list(seen.frames)])
    if len(seen.rows) == CLIP_FRAMES:
        assert [seen.frames[place] for place in seen.rows] == list(map(shown.index, shown))
        np.testing.assert_allclose(seen.probabilities, whole.probabilities, rtol=2e-5, atol=1e-7)
        assert seen.familiarity == pytest.approx(whole.familiarity, abs=1e-4)
        if seen.embedding is not None:
            np.testing.assert_allclose(seen.embedding, whole.embedding, rtol=1e-5)
    else:
        assert rule is not None and seen.confidence >= rule.threshold
        assert set(seen.frames) == {shown.index(shown[at]) for at in rule.frames}


# With a real session


class Counted(Classifier):
    """A model that counts the frames it computes."""

    frames = 0

    def run(self, frames: np.ndarray) -> ModelOutputs:
        self.frames += frames.shape[0] * frames.shape[1]
        return super().run(frames)


@pytest.mark.parametrize(
    ("colours", "times"),
    [((RED,), [0]), ((RED, GREEN, BLUE), [0, 4, 7]), ((RED, BLUE, RED), [0, 4]), ((RED,) * 10, [0])],
)
def test_each_distinct_frame_is_computed_once_and_has_one_vote(
    familiar_path: Path, clip_of: ClipOf, colours: tuple[tuple[int, int, int], ...], times: list[int]
) -> None:
    classifier, clip = Counted(familiar_path), clip_of(*colours)

    prediction = classifier.classify(clip)

    assert classifier.frames == len(times)
    assert [vote.offset_ms for vote in prediction.votes] == [clip.timestamps_ms[at] for at in times]
    whole = classifier.run(clip.frames[np.newaxis])
    for ranked in prediction.shows:
        at_once = whole.probabilities[0, classifier.shows.index(ranked.show)]
        assert ranked.probability == pytest.approx(at_once, abs=1e-6)
    seen, _ = classifier.score(clip.frames)
    assert seen.familiarity == pytest.approx(whole.familiarity[0], abs=1e-5)
    np.testing.assert_allclose(seen.embedding, whole.embedding[0], rtol=1e-6)


def test_without_frame_familiarity_equal_frames_are_computed_separately(
    early_exit_path: Path, clip_of: ClipOf
) -> None:
    classifier = Counted(early_exit_path)

    assert len(classifier.classify(clip_of(RED)).votes) == CLIP_FRAMES
    assert classifier.frames == CLIP_FRAMES


def test_a_model_of_ten_frames_may_have_frame_familiarity(tmp_path: Path, clip_of: ClipOf) -> None:
    fixed = {"frame_probabilities": ("batch", 10, 3), "frame_familiarity": ("batch", 10)}
    model = familiar_model(input_shape=("batch", *CLIP_SHAPE), outputs=fixed)
    onnx.save(model, tmp_path / "model.onnx")

    assert len(Classifier(tmp_path / "model.onnx").classify(clip_of(RED)).votes) == CLIP_FRAMES


def test_frame_familiarity_must_have_one_value_a_frame(tmp_path: Path) -> None:
    outputs = {"frame_probabilities": ("batch", "frame", 3), "frame_familiarity": ("batch", 10)}
    onnx.save(familiar_model(outputs=outputs), tmp_path / "model.onnx")

    with pytest.raises(ModelError, match=r"output frame_familiarity must have shape \[batch, frame\]"):
        Classifier(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("colours", "computed", "votes"),
    [
        ((RED,), 1, [0]),
        ((GREY,), 1, [0]),
        ((RED, GREEN, BLUE), 3, [0, 4, 7]),
        ((*[RED] * 9, BLUE), 1, [0]),
    ],
    ids=["a still", "an unknown still", "three frames", "the first frames are equal"],
)
def test_equal_frames_are_computed_once_with_early_exit(
    tmp_path: Path,
    clip_of: ClipOf,
    colours: tuple[tuple[int, int, int], ...],
    computed: int,
    votes: list[int],
) -> None:
    model = familiar_model(metadata={"early_exit": json.dumps(EARLY_EXIT)})
    onnx.save(model, tmp_path / "model.onnx")
    classifier, clip = Counted(tmp_path / "model.onnx", early_exit=True), clip_of(*colours)

    prediction = classifier.classify(clip)

    assert classifier.frames == computed
    assert [vote.offset_ms for vote in prediction.votes] == [clip.timestamps_ms[at] for at in votes]


def test_a_plain_clip_is_decided_by_its_first_frames(early_exit_path: Path, clip_of: ClipOf) -> None:
    classifier = Classifier(early_exit_path, early_exit=True)
    clip = clip_of(RED)

    prediction = classifier.classify(clip)

    assert classifier.rule == EarlyExit((2, 5, 8), 0.9)
    assert [vote.offset_ms for vote in prediction.votes] == [clip.timestamps_ms[at] for at in (2, 5, 8)]
    assert prediction.known
    assert prediction.shows[0].show == "Red Show"


def test_a_doubtful_clip_is_computed_completely(early_exit_path: Path, clip_of: ClipOf) -> None:
    clip = clip_of(RED, BLUE, (200, 120, 90))

    early = Classifier(early_exit_path, early_exit=True).classify(clip)
    whole = Classifier(early_exit_path).classify(clip)

    assert len(early.votes) == CLIP_FRAMES
    assert early.votes == whole.votes
    assert early.known == whole.known
    assert [ranked.show for ranked in early.shows] == [ranked.show for ranked in whole.shows]
    for one, other in zip(early.shows, whole.shows, strict=True):
        assert one.probability == pytest.approx(other.probability, rel=1e-5)


def test_exact_probabilities_are_those_of_all_frames(early_exit_path: Path, clip_of: ClipOf) -> None:
    classifier, clip = Classifier(early_exit_path, early_exit=True), clip_of(RED, RED, RED, RED, BLUE)

    exact = classifier.classify(clip, exact=True)

    assert len(exact.votes) == CLIP_FRAMES
    assert exact == Classifier(early_exit_path).classify(clip)


def test_an_unknown_clip_is_never_decided_early(early_exit_path: Path, clip_of: ClipOf) -> None:
    prediction = Classifier(early_exit_path, early_exit=True).classify(clip_of(GREY))

    assert not prediction.known
    assert len(prediction.votes) == CLIP_FRAMES


# Files with invalid rules


def test_early_exit_needs_a_rule_in_the_file(model_path: Path) -> None:
    assert Classifier(model_path).rule is None
    with pytest.raises(ModelError, match="it holds no rule for early exit"):
        Classifier(model_path, early_exit=True)


def test_a_rule_needs_a_model_that_takes_any_frames(save_model: Callable[..., Path]) -> None:
    path = save_model(metadata={"early_exit": json.dumps(EARLY_EXIT)})

    with pytest.raises(ModelError, match="takes no clips of fewer frames"):
        Classifier(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("often", "must be a JSON object of frames, threshold"),
        ('{"frames": [1]}', "must be a JSON object of frames, threshold"),
        ('{"frames": 3, "threshold": 0.5}', "must hold whole numbers and a threshold"),
        ('{"frames": [1.5], "threshold": 0.5}', "must hold whole numbers and a threshold"),
        ('{"frames": [true], "threshold": 0.5}', "must hold whole numbers and a threshold"),
        ('{"frames": [], "threshold": 0.5}', "is invalid: frames must grow"),
        ('{"frames": [5, 2], "threshold": 0.5}', "is invalid: frames must grow"),
        ('{"frames": [2, 10], "threshold": 0.5}', r"is invalid: frames must lie in 0\.\.9"),
        ('{"frames": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "threshold": 0.5}', "is invalid: frames must grow"),
        ('{"frames": [2], "threshold": 1.5}', r"is invalid: threshold must lie in 0\.\.1"),
        ('{"frames": [2], "threshold": NaN}', r"is invalid: threshold must lie in 0\.\.1"),
    ],
)
def test_an_invalid_rule_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(early_exit_model(metadata={"early_exit": text}), path)

    with pytest.raises(ModelError, match=says):
        Classifier(path)
