"""Convolutions in whole numbers: what is chosen, what bounds hold, and that the answers stay near."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.golden import assert_golden_arrays
from tests.support.networks import Drawn, run, soft_noise
from training.errors import ExportFailed
from training.export.int8 import INT8_VERSION, NEIGHBOURS, fit_head, put_head, quantize
from training.export.int8.quantizer import whole_number_nodes
from training.network.head import Linear


def network(residuals: int = 3) -> onnx.ModelProto:
    """A stem, a depthwise convolution, and residual blocks."""
    drawn = Drawn().conv(strides=[4, 4]).conv(depthwise=True)
    for _ in range(residuals):
        drawn.residual()
    return drawn.model()


def whole_number_weights(model: onnx.ModelProto) -> list[np.ndarray]:
    """Kernels of the convolutions that compute in int8."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    maker = {node.output[0]: node for node in model.graph.node}
    kernels = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
    stored = [tensors[maker[name].input[0]] for name in kernels if name in maker]
    return [numpy_helper.to_array(tensor) for tensor in stored if tensor.data_type == TensorProto.INT8]


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    return soft_noise(4)


def test_convolutions_and_nodes_that_only_they_feed_are_chosen() -> None:
    model = network(1)
    model.graph.node.append(helper.make_node("Add", ["pooled", "zero"], ["moved_on"], "other"))

    names = whole_number_nodes(model.graph)

    assert names == ["conv1", "relu1", "conv2", "relu2", "conv3", "relu3", "sum3"]


@pytest.mark.parametrize(
    "attributes", [{"group": 2}, {"dilations": [2, 2]}, {"auto_pad": "SAME_UPPER"}], ids=str
)
def test_other_kinds_of_convolution_stay_in_float(attributes: dict[str, Any]) -> None:
    model = network(0)
    [second] = [node for node in model.graph.node if node.name == "conv2"]
    for name, value in attributes.items():
        kept = [each for each in second.attribute if each.name != name]
        del second.attribute[:]
        second.attribute.extend([*kept, helper.make_attribute(name, value)])

    assert whole_number_nodes(model.graph) == ["conv1", "relu1"]


def test_the_sum_of_two_products_fits_in_16_bits(clips: np.ndarray) -> None:
    """As processors without VNNI add them: more would be cut off there, and only there."""
    quantized = quantize(network(), clips[:2])

    weights = whole_number_weights(quantized)
    assert len(weights) == 5
    for values in weights:
        rows = np.abs(values.astype(int)).transpose(0, 2, 3, 1).reshape(len(values), -1)
        if values.shape[1] > 1:
            assert NEIGHBOURS - 4 <= (rows[:, 1:] + rows[:, :-1]).max() <= NEIGHBOURS
        else:
            assert rows.max() == 127
    assert np.iinfo(np.int16).max >= np.iinfo(np.uint8).max * NEIGHBOURS


@pytest.mark.parametrize("bias", [True, False])
def test_the_answers_stay_near(clips: np.ndarray, bias: bool) -> None:
    model = Drawn().conv(strides=[4, 4], bias=bias).conv(depthwise=True, bias=bias).residual().model()

    quantized = quantize(model, clips[:2])

    onnx.checker.check_model(quantized)
    assert [value.name for value in quantized.graph.input] == ["clip"]
    assert not quantized.metadata_props
    [exact], [near] = run(model, clips[3]), run(quantized, clips[3])
    assert np.abs(near - exact).max() < 0.01 * np.abs(exact).max()
    assert not np.array_equal(near, exact)


def test_no_pixel_becomes_a_float(clips: np.ndarray) -> None:
    quantized = quantize(network(), clips[:1])

    kinds = [node.op_type for node in quantized.graph.node]
    assert "Cast" not in kinds
    assert "Mul" not in kinds


def test_the_weights_are_those_of_this_version(clips: np.ndarray) -> None:
    weights = whole_number_weights(quantize(network(), clips[:2]))

    found = {f"kernel{number}": values for number, values in enumerate(weights)}
    assert_golden_arrays("int8", INT8_VERSION, found, tolerance=0.01)


# The head

HEAD = Linear(
    np.array([[3.0, -1.0], [-2.0, 0.5], [0.25, 4.0]], np.float32) / 64, np.array([0.5, -0.5], np.float32)
)


def model(scale: tuple[float, float, float], shift: float) -> onnx.ModelProto:
    """The mean colour of a clip as its embedding, each channel a little off, and a linear head."""
    proto = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["": 17]>
        colours (uint8[b, f, h, w, 3] clip) => (float[b, 3] embedding, float[b, 2] logits) {
            pixels = Cast <to = 1> (clip)
            mean = ReduceMean <axes = [1, 2, 3], keepdims = 0> (pixels)
            scaled = Mul (mean, scale)
            embedding = Add (scaled, shift)
            product = MatMul (embedding, matrix)
            logits = Add (product, bias)
        }""")
    stored = {"scale": scale, "shift": [shift], "matrix": HEAD.matrix, "bias": HEAD.bias}
    for name, values in stored.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
    return proto


def logits(proto: onnx.ModelProto, clips: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"clip": clips})[0]


def drawn(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.uniform(0, 255, (count, 1, 1, 1, 3)) * np.ones((1, 10, 4, 4, 1))).astype(np.uint8)


def test_the_fitted_head_brings_new_clips_nearer_to_the_float_model() -> None:
    exact, inexact, others = model((1, 1, 1), 0), model((0.9, 1.1, 1.05), 3), drawn(1, 50)
    wanted, before = logits(exact, others), logits(inexact, others)

    put_head(inexact, HEAD, fit_head(exact, inexact, HEAD, list(drawn(0, 64))))

    error = np.abs(logits(inexact, others) - wanted).mean()
    assert error < 0.5 * np.abs(before - wanted).mean()


def test_a_model_with_another_head_is_refused() -> None:
    other = Linear(HEAD.matrix + 1, HEAD.bias)

    with pytest.raises(ExportFailed, match="does not contain the head"):
        put_head(model((1, 1, 1), 0), other, HEAD)
