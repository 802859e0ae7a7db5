"""Taught shows: what the model file keeps for them, and the scale they share with the trained ones."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.inference.library import TaughtShows, TeachingBase, project
from services.inference.library.embedding import EMBEDDING_SIZE

TRAINED = ("Friends", "Lost")


@dataclass(frozen=True)
class Examples:
    """The clips of a library that teach shows."""

    titles: tuple[str, ...]
    shows: NDArray[np.intp]
    embeddings: NDArray[np.int8]


def looks(centre: int, clips: int, *, seed: int = 0) -> NDArray[np.int8]:
    """Embeddings of clips that look alike, int8 [clip, 256]."""
    noise = np.random.default_rng((seed, centre)).normal(0, 0.02, (clips, 1000)).astype(np.float32)
    noise[:, centre] += 1
    return np.stack([project(vector) for vector in noise])


@pytest.fixture(scope="module")
def base() -> TeachingBase:
    """Of a model that was trained with clips of two looks, 0 and 1."""
    learned = np.concatenate([looks(0, 40), looks(1, 40)])
    return TeachingBase.of(learned, np.ones(80), temperature=0.06, others=1.0)


def taught(base: TeachingBase, clips: int = 5) -> TaughtShows:
    shows = np.repeat([0, 1], clips)
    embeddings = np.concatenate([looks(2, clips), looks(0, clips, seed=1)])
    return TaughtShows(Examples(("Severance", "Friends"), shows, embeddings), TRAINED, base)


def test_what_a_model_file_keeps_is_read_back(base: TeachingBase) -> None:
    again = TeachingBase.unpack(base.pack())

    assert len(base.pack()) < 90_000
    assert (again.temperature, again.others, again.weight) == pytest.approx((0.06, 1.0, 80.0))
    assert np.allclose(again.mean, base.mean, atol=1e-3)
    assert np.allclose(again.moments, base.moments, atol=1e-4)


@pytest.mark.parametrize("text", ["", "!", base64.b64encode(b"short").decode()])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        TeachingBase.unpack(text)


def test_numbers_that_are_not_finite_are_refused(base: TeachingBase) -> None:
    content = bytearray(base64.b64decode(base.pack()))
    content[12:14] = np.float16("nan").tobytes()

    with pytest.raises(ValueError, match="finite"):
        TeachingBase.unpack(base64.b64encode(content).decode())


def test_only_shows_that_the_model_was_not_trained_for_are_taught(base: TeachingBase) -> None:
    assert taught(base).titles == ("Severance",)


def test_a_clip_of_a_taught_show_is_ranked_there(base: TeachingBase) -> None:
    probabilities, familiarity = taught(base).join(
        looks(2, 1, seed=7)[0], np.array([0.6, 0.4], np.float32), familiarity=-1.0
    )

    assert probabilities.argmax() == 2
    assert familiarity > -1.0


def test_a_clip_of_a_trained_show_stays_there(base: TeachingBase) -> None:
    probabilities, familiarity = taught(base).join(
        looks(0, 1, seed=7)[0], np.array([0.99, 0.01], np.float32), familiarity=4.0
    )

    assert probabilities.argmax() == 0
    assert familiarity == pytest.approx(4.0, abs=0.2)


@given(st.floats(0, 1), st.floats(-50, 50), st.integers(0, 10))
def test_probabilities_have_the_sum_1_and_trained_shows_keep_their_order(
    base: TeachingBase, first: float, familiarity: float, look: int
) -> None:
    before = np.array([first, 1 - first], np.float32)

    probabilities, _ = taught(base).join(looks(look, 1)[0], before, familiarity)

    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert (probabilities >= 0).all()
    assert (probabilities[0] >= probabilities[1]) == (before[0] >= before[1]) or probabilities[
        :2
    ].max() < 1e-6


def test_a_library_without_new_shows_changes_nothing(base: TeachingBase) -> None:
    known = Examples(("Lost",), np.zeros(3, np.intp), looks(1, 3))
    before = np.array([0.3, 0.7], np.float32)

    probabilities, familiarity = TaughtShows(known, TRAINED, base).join(looks(1, 1)[0], before, 2.0)

    assert probabilities == pytest.approx(before)
    assert familiarity == pytest.approx(2.0, abs=1e-6)


def test_an_embedding_has_256_numbers_of_8_bits() -> None:
    vector = np.random.default_rng(0).normal(size=8600).astype(np.float32)

    short = project(vector)

    assert (short.shape, short.dtype) == ((EMBEDDING_SIZE,), np.int8)
    assert np.array_equal(project(vector * 7), short)
    assert not project(np.zeros(8600, np.float32)).any()
