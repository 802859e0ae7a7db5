"""Weights in whole steps: their bounds, and what their sums show of the rounding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.export.int8.rounding import round_rows, steps

weights = arrays(np.float64, (3, 9), elements=st.floats(-40, 40, width=32))


def likely(count: int, seed: int = 0) -> np.ndarray:
    """The covariance of pixels side by side: nearly the same."""
    pixels = np.random.default_rng(seed).normal(size=(200, count)) * 0.1
    return np.cov((pixels + np.random.default_rng(seed + 1).normal(size=(200, 1))).T)


@given(weights)
def test_taps_that_know_nothing_of_each_other_are_rounded_to_the_nearest(rows: np.ndarray) -> None:
    rounded = round_rows(rows, np.eye(9), most=127)

    np.testing.assert_array_equal(rounded, np.round(rows))


@given(weights, st.integers(0, 5))
def test_the_bounds_hold_and_nothing_comes_of_nothing(rows: np.ndarray, seed: int) -> None:
    rounded = round_rows(rows, likely(9, seed), most=30, neighbours=40).astype(int)

    assert np.abs(rounded).max() <= 30
    assert (np.abs(rounded[:, 1:]) + np.abs(rounded[:, :-1])).max() <= 40
    assert not rounded[rows == 0].any()


@given(weights)
def test_steps_bring_weights_within_the_bounds(rows: np.ndarray) -> None:
    step = steps(rows, most=127, neighbours=128)

    whole = np.abs(np.round(rows / step[:, np.newaxis]))
    assert (step > 0).all()
    assert whole.max() <= 127
    assert (whole[:, 1:] + whole[:, :-1]).max() <= 128
    reached = np.maximum(whole.max(axis=1), (whole[:, 1:] + whole[:, :-1]).max(axis=1))
    assert (reached[np.abs(rows).max(axis=1) > 0] >= 126).all()


def test_a_kernel_that_looks_for_edges_stays_silent_where_there_are_none() -> None:
    """Eight weights of -2.4 about one of 19.2: rounded to the nearest, they sum to 3."""
    rows = np.full((1, 9), -2.4)
    rows[0, 4] = 19.2

    rounded = round_rows(rows, likely(9), most=127)

    assert abs(np.round(rows).sum()) == 3
    assert abs(rounded.sum()) <= 1


def test_each_channel_of_a_depthwise_convolution_is_rounded_by_its_own_covariance() -> None:
    rows = np.random.default_rng(3).uniform(-20, 20, (2, 9))
    own = np.stack([likely(9), np.eye(9)])

    together = round_rows(rows, own, most=127)

    for channel in range(2):
        [alone] = round_rows(rows[channel : channel + 1], own[channel], most=127)
        np.testing.assert_array_equal(together[channel], alone)


def test_sums_vary_less_from_the_exact_ones_than_by_nearest_rounding() -> None:
    rows, covariance = np.random.default_rng(4).uniform(-20, 20, (64, 16)), likely(16)

    def error(rounded: np.ndarray) -> float:
        lost = rounded - rows
        return float(np.einsum("ot,tu,ou->", lost, covariance, lost))

    assert error(round_rows(rows, covariance, most=127)) < 0.3 * error(np.round(rows))
