"""Numbers taken from feature maps."""

import numpy as np
import pytest

from training.network.head import Tap
from training.network.model import tap_tensor


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).normal(2, 3, size=(5, 7, 6, 4)).astype(np.float32)


def test_means_and_deviations_are_of_the_places(maps: np.ndarray) -> None:
    np.testing.assert_allclose(tap_tensor(maps, Tap("x")), maps.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(tap_tensor(maps, Tap("x", "deviation")), maps.std(axis=(1, 2)), rtol=1e-4)


def test_covariances_name_each_pair_of_channels_once(maps: np.ndarray) -> None:
    tap = Tap("x", "covariance")

    found = np.asarray(tap_tensor(maps, tap))

    assert found.shape == (5, 10)
    for picture, numbers in zip(maps, found, strict=True):
        expected = np.cov(picture.reshape(-1, 4).T, bias=True)
        np.testing.assert_allclose(numbers, expected[np.triu_indices(4)], rtol=1e-4, atol=1e-5)
