import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import InvalidOptions
from training.fit.linear import fit_bank, fit_linear, fit_parts, sample_weights
from training.fit.options import NeighbourOptions, PartOptions
from training.network.head import Bank, Head, Linear, Part, Tap, clip_vectors, describe
from training.statistics.calibration import softmax
from training.statistics.openset import energy, largest_probability, nearest_similarity

TAP, LOW = Tap("top"), Tap("block03", "deviation")


def _taps(seed: int = 0, clips: int = 6) -> dict[Tap, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        TAP: rng.gamma(1.0, size=(clips, 10, 12)).astype(np.float32),
        LOW: rng.normal(3, 2, size=(clips, 10, 5)).astype(np.float32),
    }


def _head(**changes) -> Head:
    rng = np.random.default_rng(1)
    bank = rng.normal(size=(7, 17)).astype(np.float32)
    head = Head(
        parts=(Part(TAP, unit=True), Part(LOW, shift=np.full(5, 3, np.float32), weight=0.3)),
        linear=Linear(rng.normal(size=(17, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)),
        bank=Bank(
            bank / np.linalg.norm(bank, axis=1, keepdims=True),
            np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1, 2]],
        ),
        temperature=0.7,
    )
    return dataclasses.replace(head, **changes)


def test_logits_of_a_clip_are_the_mean_of_its_frames():
    head, taps = _head(), _taps()
    answer = head.answer(taps)
    frames = head.logits(describe(head.parts, taps))
    np.testing.assert_allclose(answer.logits, frames.mean(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answer.probabilities, softmax(answer.logits, temperature=0.7), rtol=1e-5)
    np.testing.assert_allclose(answer.frame_probabilities, softmax(frames, temperature=0.7), rtol=1e-5)
    np.testing.assert_array_equal(answer.embedding, clip_vectors(head.parts, taps))


def test_pooling_by_clip_describes_the_mean():
    taps = _taps()
    head = _head(pooling="clip")
    means = {tap: values.mean(axis=1) for tap, values in taps.items()}
    np.testing.assert_allclose(head.answer(taps).embedding, describe(head.parts, means), rtol=1e-6)


def test_familiarity_is_what_openset_measures():
    taps, head = _taps(), _head()
    answer = head.answer(taps)

    def measured(*terms, neighbour=1):
        bank = dataclasses.replace(head.bank, neighbour=neighbour)
        return dataclasses.replace(head, familiarity=terms, bank=bank).answer(taps).familiarity

    most = largest_probability(answer.logits, temperature=0.7)
    free = energy(answer.logits, temperature=0.7)
    near = nearest_similarity(answer.embedding, head.bank.vectors)
    third = nearest_similarity(answer.embedding, head.bank.vectors, k=3)
    np.testing.assert_allclose(measured(("probability", 1.0)), most, rtol=1e-5)
    np.testing.assert_allclose(measured(("energy", 1.0)), free, rtol=1e-5)
    np.testing.assert_allclose(measured(("nearest", 1.0)), near, rtol=1e-5)
    np.testing.assert_allclose(measured(("nearest", 1.0), neighbour=3), third, rtol=1e-5)
    np.testing.assert_allclose(measured(("energy", 0.1), ("nearest", 2.0)), 0.1 * free + 2 * near, rtol=1e-5)


def test_neighbours_move_the_answer_towards_their_show():
    taps, head = _taps(), _head()
    vectors = clip_vectors(head.parts, taps)
    bank = fit_bank(vectors[:1], np.array([2]), shows=4, options=NeighbourOptions(weight=100.0), balance=0.0)
    assert dataclasses.replace(head, bank=bank).answer(taps).probabilities[0].argmax() == 2


def test_a_head_that_cannot_answer_is_refused():
    with pytest.raises(InvalidOptions, match="without a bank"):
        _head(bank=None, familiarity=(("nearest", 1.0),))
    with pytest.raises(InvalidOptions, match="temperature"):
        _head(temperature=0.0)
    with pytest.raises(InvalidOptions, match="length 1"):
        Bank(np.full((2, 3), 2, np.float32), np.eye(2, dtype=np.float32))
    with pytest.raises(InvalidOptions, match="neighbour"):
        dataclasses.replace(_head().bank, neighbour=8)
    with pytest.raises(InvalidOptions, match="mean or BLOCK/deviation"):
        Tap.parse("top/median")
    assert Tap.parse(str(LOW)) == LOW


def test_standardised_and_whitened_parts_are_so():
    taps = {TAP: _taps(clips=200)[TAP]}
    (standard,) = fit_parts([PartOptions(standardise=True, unit=False)], taps)
    values = standard.apply(taps[TAP].reshape(-1, 12))
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=5e-3)
    (white,) = fit_parts([PartOptions(power=0.5, whiten=1e-6, unit=False)], taps)
    values = white.apply(taps[TAP].reshape(-1, 12))
    np.testing.assert_allclose(np.cov(values.T), np.eye(12), atol=0.02)
    (unit,) = fit_parts([PartOptions(weight=3.0)], taps)
    np.testing.assert_allclose(np.linalg.norm(unit.apply(taps[TAP]), axis=-1), 3.0, rtol=1e-5)


@pytest.mark.parametrize("kind", ["ridge", "logistic"])
@pytest.mark.parametrize("shows", [[0, 1, 2], [0, 2]])
def test_a_linear_head_learns_what_is_linear_and_never_names_an_absent_show(kind, shows):
    rng = np.random.default_rng(0)
    labels = rng.choice(shows, 90)
    vectors = (np.eye(3)[labels] + rng.normal(0, 0.1, (90, 3))).astype(np.float32)
    weights = sample_weights(labels, 3, 0.5)
    head = fit_linear(kind, vectors, labels, shows=3, regularisation=0.01, weights=weights)
    np.testing.assert_array_equal(head.apply(vectors).argmax(axis=1), labels)
    assert head.matrix.shape == (3, 3)
    assert head.matrix.dtype == head.bias.dtype == np.float32


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.floats(0, 1))
def test_weights_have_mean_one_and_balance_shows(labels, balance):
    labels = np.array(labels)
    weights = sample_weights(labels, 4, balance)
    assert weights.mean() == pytest.approx(1)
    if balance == 1:
        sums = [weights[labels == show].sum() for show in set(labels)]
        np.testing.assert_allclose(sums, sums[0])


def test_without_a_linear_head_the_neighbours_alone_decide():
    vectors = np.eye(3, dtype=np.float32)
    head = fit_linear("none", vectors, np.arange(3), shows=4, regularisation=0.01, weights=np.ones(3))
    np.testing.assert_array_equal(vectors @ head.matrix + head.bias, np.zeros((3, 4)))
