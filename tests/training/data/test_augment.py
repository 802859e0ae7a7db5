import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.golden import assert_golden_arrays
from training.data.augment import (
    AUGMENT_VERSION,
    AUGMENTATIONS,
    augment,
    with_border,
    with_caption,
    with_crop,
    with_tint,
)


def _frames(seed: int = 0, count: int = 10, height: int = 40, width: int = 56) -> np.ndarray:
    """A smooth moving picture, so that resampling changes little."""
    y, x = np.mgrid[0:height, 0:width]
    shift = np.arange(count)[:, None, None] * 3 + seed
    channels = [(x * 3 + shift) % 256, (y * 4 + shift) % 256, (x + y + 0 * shift) % 256]
    return np.stack([np.broadcast_to(c, (count, height, width)) for c in channels], axis=-1).astype(np.uint8)


@given(
    name=st.sampled_from([*AUGMENTATIONS, "all"]),
    seed=st.integers(0, 1000),
    strength=st.floats(0, 1),
    height=st.integers(8, 60),
    width=st.integers(8, 60),
)
def test_every_change_keeps_the_contract_and_is_pure(name, seed, strength, height, width):
    frames = _frames(height=height, width=width)
    before = frames.copy()
    change = AUGMENTATIONS.get(name, augment)
    one = change(frames, np.random.default_rng(seed), strength)
    two = change(frames, np.random.default_rng(seed), strength)
    assert one.shape == frames.shape
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(frames, before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_change_changes_something_at_full_strength(name):
    frames = _frames()
    changed = [
        not np.array_equal(AUGMENTATIONS[name](frames, np.random.default_rng(seed), 1.0), frames)
        for seed in range(8)
    ]
    assert any(changed)


def test_no_strength_changes_nothing():
    frames = _frames()
    np.testing.assert_array_equal(augment(frames, np.random.default_rng(1), 0.0), frames)


def test_borders_surround_a_smaller_picture():
    frames = np.full((2, 40, 60, 3), 200, np.uint8)
    out = with_border(frames, 5, 8, (1, 2, 3))
    assert (out[:, :5] == [1, 2, 3]).all()
    assert (out[:, :, -8:] == [1, 2, 3]).all()
    assert (out[:, 5:35, 8:52] == 200).all()


@pytest.mark.parametrize(("side", "rows"), [("top", slice(0, 40)), ("bottom", slice(-40, None))])
def test_a_caption_is_white_on_black_at_its_edge(side, rows):
    frames = np.full((1, 100, 200, 3), 128, np.uint8)
    out = with_caption(frames, "A LONG LINE THAT MUST SHRINK TO FIT THE WIDTH", side, 20)
    changed = (out != 128).any(axis=-1)[0]
    assert changed[rows].sum() == changed.sum() > 0
    assert out.max() > 200
    assert out.min() < 50


def test_a_crop_shows_a_part():
    frames = np.zeros((1, 40, 40, 3), np.uint8)
    frames[:, 20:, 20:] = 255
    # The first two pixels mix with what lies just outside, as bilinear filters do.
    assert with_crop(frames, 0.5, 0.5, 0.5, 0.5)[:, 2:, 2:].min() == 255


def test_a_neutral_tint_changes_nothing():
    frames = _frames()
    np.testing.assert_array_equal(with_tint(frames, np.ones(3), 1.0, 1.0), frames)
    grey = with_tint(frames, np.ones(3), 1.0, 0.0)
    assert (np.ptp(grey, axis=-1) == 0).all()


def test_augmentations_change_only_with_their_version():
    frames = _frames(count=2, height=20, width=28)
    found = {
        f"{name}, seed {seed}": change(frames, np.random.default_rng(seed), strength)
        for name, change in {**AUGMENTATIONS, "all": augment}.items()
        for seed, strength in enumerate((1.0, 1.0, 0.5, 0.5))
    }

    assert_golden_arrays("augment", AUGMENT_VERSION, found, tolerance=0.02)
