import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inference.scoring import combine, combine_familiarity
from training.errors import InvalidOptions
from training.fit.options import PartOptions
from training.fit.trainer import fit_linear, fit_parts, sample_weights
from training.network.head import Head, Linear, Part, Tap, frame_vectors
from training.network.model import tap_tensor
from training.statistics.calibration import softmax
from training.statistics.openset import odds_of_shows

TAP, LOW = Tap("top"), Tap("block03", "deviation")


def _taps(seed: int = 0, clips: int = 6) -> dict[Tap, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        TAP: rng.gamma(1.0, size=(clips, 10, 12)).astype(np.float32),
        LOW: rng.normal(3, 2, size=(clips, 10, 5)).astype(np.float32),
    }


def _head(**changes) -> Head:
    rng = np.random.default_rng(1)
    head = Head(
        parts=(Part(TAP, unit=True), Part(LOW, shift=np.full(5, 3, np.float32), weight=0.3)),
        linear=Linear(rng.normal(size=(17, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)),
        temperature=0.7,
    )
    return dataclasses.replace(head, **changes)


def test_logits_of_a_clip_are_the_mean_of_its_frames():
    head, taps = _head(), _taps()
    answer = head.answer(taps)
    logits = answer.frame_logits.mean(axis=1)
    np.testing.assert_allclose(answer.probabilities, softmax(logits, temperature=0.7), rtol=1e-5)
    np.testing.assert_allclose(
        answer.frame_probabilities, softmax(answer.frame_logits, temperature=0.7), rtol=1e-5
    )
    np.testing.assert_allclose(answer.embedding, frame_vectors(head.parts, taps).mean(axis=1))


def test_without_other_things_familiarity_is_the_largest_probability():
    answer = _head().answer(_taps())
    np.testing.assert_array_equal(answer.familiarity, answer.probabilities.max(axis=1))
    assert answer.frame_familiarity is None


def test_other_things_have_an_output():
    head = _head(others=True)
    answer = head.answer(_taps())
    logits = answer.frame_logits.mean(axis=1)
    assert head.shows == 3
    np.testing.assert_allclose(answer.probabilities, softmax(logits[:, :3], temperature=0.7), rtol=1e-5)
    np.testing.assert_allclose(
        answer.familiarity, odds_of_shows(logits, temperature=0.7), rtol=1e-5, atol=1e-6
    )


def test_serving_combines_frames_as_the_head_does():
    answer = _head(others=True).answer(_taps())
    for clip in range(len(answer.familiarity)):
        votes, familiar = answer.frame_probabilities[clip], answer.frame_familiarity[clip]
        np.testing.assert_allclose(combine(votes), answer.probabilities[clip], rtol=1e-4)
        assert combine_familiarity(votes, familiar) == pytest.approx(answer.familiarity[clip], abs=1e-5)


def test_invalid_heads_and_taps_are_refused():
    with pytest.raises(InvalidOptions, match="temperature"):
        _head(temperature=0.0)
    with pytest.raises(InvalidOptions, match="mean or BLOCK/deviation or BLOCK/covariance"):
        Tap.parse("top/median")
    assert Tap.parse(str(LOW)) == LOW


def test_parts_are_standardised_or_of_their_weight_in_length():
    taps = {TAP: _taps(clips=200)[TAP]}
    (standard,) = fit_parts([PartOptions(standardise=True, unit=False)], taps)
    values = standard.apply(taps[TAP].reshape(-1, 12))
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=5e-3)
    (unit,) = fit_parts([PartOptions(weight=3.0)], taps)
    np.testing.assert_allclose(np.linalg.norm(unit.apply(taps[TAP]), axis=-1), 3.0, rtol=1e-5)


def test_ridge_gives_the_same_by_both_systems_of_equations():
    rng = np.random.default_rng(0)
    labels, weights = np.arange(30) % 3, rng.uniform(0.5, 1.5, 30)
    few = rng.normal(size=(30, 8)).astype(np.float32)
    many = np.concatenate([few, np.zeros((30, 56), np.float32)], axis=1)  # 64 numbers, 56 of them nothing

    by_numbers = fit_linear("ridge", few, labels, outputs=3, regularisation=0.1, weights=weights)
    by_clips = fit_linear("ridge", many, labels, outputs=3, regularisation=0.8, weights=weights)

    np.testing.assert_allclose(by_clips.apply(many), by_numbers.apply(few), atol=1e-5)


@pytest.mark.parametrize("kind", ["ridge", "logistic"])
@pytest.mark.parametrize("shows", [[0, 1, 2], [0, 2]])
def test_a_linear_head_learns_linear_data_and_never_names_an_absent_show(kind, shows):
    rng = np.random.default_rng(0)
    labels = rng.choice(shows, 90)
    vectors = (np.eye(3)[labels] + rng.normal(0, 0.1, (90, 3))).astype(np.float32)
    weights = sample_weights(labels, ["s"] * 90, balance=0.5)
    head = fit_linear(kind, vectors, labels, outputs=3, regularisation=0.01, weights=weights)
    np.testing.assert_array_equal(head.apply(vectors).argmax(axis=1), labels)
    assert head.matrix.shape == (3, 3)
    assert head.matrix.dtype == head.bias.dtype == np.float32


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.floats(0, 1))
def test_weights_have_mean_one_and_balance_shows(labels, balance):
    labels = np.array(labels)
    weights = sample_weights(labels, ["s"] * len(labels), balance=balance)
    assert weights.mean() == pytest.approx(1)
    if balance == 1:
        sums = [weights[labels == show].sum() for show in set(labels)]
        np.testing.assert_allclose(sums, sums[0])


def test_source_balance_weighs_the_sources_of_a_show_alike():
    labels, sources = np.array([0, 0, 0, 0, 1]), ["a", "a", "a", "b", "a"]
    weights = sample_weights(labels, sources, balance=0.0, source_balance=1.0)
    np.testing.assert_allclose(weights / weights[0], [1, 1, 1, 3, 3])


# Values of taps


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).normal(2, 3, size=(5, 7, 6, 4)).astype(np.float32)


def test_means_and_deviations_are_over_height_and_width(maps: np.ndarray) -> None:
    np.testing.assert_allclose(tap_tensor(maps, Tap("x")), maps.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(tap_tensor(maps, Tap("x", "deviation")), maps.std(axis=(1, 2)), rtol=1e-4)


def test_covariances_hold_each_pair_of_channels_once(maps: np.ndarray) -> None:
    tap = Tap("x", "covariance")

    found = np.asarray(tap_tensor(maps, tap))

    assert found.shape == (5, 10)
    for picture, numbers in zip(maps, found, strict=True):
        expected = np.cov(picture.reshape(-1, 4).T, bias=True)
        np.testing.assert_allclose(numbers, expected[np.triu_indices(4)], rtol=1e-4, atol=1e-5)
