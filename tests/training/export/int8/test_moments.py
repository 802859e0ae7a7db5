"""What convolutions are fed, by what they make of it."""

import numpy as np
import pytest
from onnx import numpy_helper

from tests.support.networks import Drawn, run, soft_noise
from training.export.int8.moments import measure_moments

CASES = {
    "dense": {},
    "by two, padded on one side": {"strides": [2, 2], "pads": [0, 0, 1, 1]},
    "five by five": {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]},
    "depthwise": {"depthwise": True},
    "depthwise, by two": {"depthwise": True, "strides": [2, 2], "pads": [0, 1, 1, 0]},
}


@pytest.mark.parametrize("case", CASES)
def test_a_weighted_sum_has_the_mean_and_the_variance_that_the_moments_foretell(case: str) -> None:
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
