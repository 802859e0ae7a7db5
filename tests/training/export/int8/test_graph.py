"""The first convolution on the pixels themselves: no bit of an answer changes."""

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.support.networks import Drawn, run, soft_noise
from training.export.int8 import quantize, quantizer
from training.export.int8.graph import Pixels, find_pixels

STEMS = {
    "as EfficientNet has it": {"strides": [2, 2], "pads": [0, 0, 1, 1]},
    "padded on both sides": {"strides": [2, 2]},
    "every pixel": {},
    "by four": {"strides": [4, 4], "pads": [0, 0, 0, 0]},
    "seven by seven": {"kernel_shape": [7, 7], "strides": [2, 2], "pads": [2, 2, 3, 3]},
    "by one and two": {"strides": [1, 2], "pads": [1, 0, 1, 1]},
}
LEFT_ALONE = {
    "by three": {"strides": [3, 3]},
    "narrower than the image": {"pads": [0, 0, 0, 0]},
}


def channels_of_the_first(model: onnx.ModelProto) -> int:
    [conv] = [node for node in model.graph.node if node.name == "conv1"]
    maker = {node.output[0]: node for node in model.graph.node}
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    return held[maker[conv.input[1]].input[0]].dims[1]


@pytest.mark.parametrize("stem", STEMS)
def test_answers_are_bitwise_the_same(stem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, clips = Drawn(size=56).conv(**STEMS[stem]).residual().model(), soft_noise(2)
    with monkeypatch.context() as patch:
        patch.setattr(quantizer, "feed_pixels", lambda graph: None)
        patch.setattr(quantizer, "gather_columns", lambda graph: None)
        plain = quantize(model, clips[:1])

    gathered = quantize(model, clips[:1])

    onnx.checker.check_model(gathered)
    assert (channels_of_the_first(plain), channels_of_the_first(gathered)) == (3, 12)
    for clip in clips:
        np.testing.assert_array_equal(run(gathered, clip)[0], run(plain, clip)[0])


@pytest.mark.parametrize("stem", LEFT_ALONE)
def test_columns_that_are_not_a_multiple_are_not_gathered(stem: str) -> None:
    model = Drawn(size=56).conv(**LEFT_ALONE[stem]).residual().model()

    quantized = quantize(model, soft_noise(1))

    assert channels_of_the_first(quantized) == 3


def test_the_scale_of_pixels_is_found() -> None:
    found = find_pixels(Drawn().conv().model().graph, ["conv1"])

    assert found == Pixels("pixels", 1 / 128, 127)


@pytest.mark.parametrize("offset", [0.3 / 128, 1 / 128, -256 / 128])
def test_no_scale_is_found_if_its_zero_is_not_an_integer_in_0_to_255(offset: float) -> None:
    assert find_pixels(Drawn(offset=offset).conv().model().graph, ["conv1"]) is None


def test_no_scale_is_found_if_the_first_convolution_stays_in_float() -> None:
    assert find_pixels(Drawn().conv().conv().model().graph, ["conv2"]) is None


def test_no_scale_is_found_if_colours_differ_or_another_node_reads_the_pixels() -> None:
    coloured, shared = Drawn(), Drawn().conv().model()
    coloured.weights["scale"] = np.array([0.1, 0.2, 0.3], np.float32)
    shared.graph.node.append(helper.make_node("Sqrt", ["moved"], ["roots"]))

    assert find_pixels(coloured.conv().model().graph, ["conv1"]) is None
    assert find_pixels(shared.graph, ["conv1"]) is None


def test_other_arithmetic_on_pixels_stays_in_float() -> None:
    drawn = Drawn(size=56)
    drawn.nodes.append(helper.make_node("Sqrt", ["pixels"], ["roots"]))
    drawn.weights["offset"] = np.float32(0)
    drawn.last = "roots"
    model = drawn.conv().residual().model()

    quantized = quantize(model, soft_noise(1))

    assert "Sqrt" in [node.op_type for node in quantized.graph.node]
    [exact], [near] = run(model, soft_noise(1)[0]), run(quantized, soft_noise(1)[0])
    assert np.abs(near - exact).max() < 0.02 * np.abs(exact).max()
