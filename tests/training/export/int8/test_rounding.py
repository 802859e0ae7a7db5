"""Measuring the inputs of convolutions, and rounding weights by them: bounds, and errors of weighted sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper

from tests.support.networks import Drawn, run, soft_noise
from training.export.int8.rounding import measure_moments, round_rows, steps

weights = arrays(np.float64, (3, 9), elements=st.floats(-40, 40, width=32))


def likely(count: int, seed: int = 0) -> np.ndarray:
    """The covariance of pixels side by side: nearly the same."""
    pixels = np.random.default_rng(seed).normal(size=(200, count)) * 0.1
    return np.cov((pixels + np.random.default_rng(seed + 1).normal(size=(200, 1))).T)


@given(weights)
def test_uncorrelated_taps_are_rounded_to_the_nearest(rows: np.ndarray) -> None:
    rounded = round_rows(rows, np.eye(9), most=127)

    np.testing.assert_array_equal(rounded, np.round(rows))


@given(weights, st.integers(0, 5))
def test_the_bounds_hold_and_zero_weights_stay_zero(rows: np.ndarray, seed: int) -> None:
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


def test_an_edge_kernel_still_gives_nothing_on_equal_pixels() -> None:
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


CASES = {
    "dense": {},
    "by two, padded on one side": {"strides": [2, 2], "pads": [0, 0, 1, 1]},
    "five by five": {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]},
    "depthwise": {"depthwise": True},
    "depthwise, by two": {"depthwise": True, "strides": [2, 2], "pads": [0, 1, 1, 0]},
}


@pytest.mark.parametrize("case", CASES)
def test_the_moments_predict_mean_and_variance_of_weighted_sums(case: str) -> None:
    model = Drawn().conv(strides=[56, 56]).conv(**CASES[case]).model()
    clips = soft_noise(2)  # ten images of 4 x 4 places each: all are looked at

    found = measure_moments(model, clips, ["conv2", "relu2"])

    assert list(found) == ["conv2"]
    moments = found["conv2"]
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    rows = weights["kernel2"].transpose(0, 2, 3, 1).reshape(8, -1)
    sums = np.concatenate([run(model, clip, "c2")[0] for clip in clips]).swapaxes(0, 1).reshape(8, -1)
    mean = (rows * moments.mean).sum(axis=1) + weights["bias2"]
    np.testing.assert_allclose(mean, sums.mean(axis=1), rtol=1e-4)
    covariance = np.broadcast_to(moments.covariance, (8, rows.shape[1], rows.shape[1]))
    variance = np.einsum("ot,otu,ou->o", rows, covariance, rows)
    np.testing.assert_allclose(variance, sums.var(axis=1), rtol=1e-3)
