"""Convolutions in whole numbers: what is chosen, what stays, and that the answers stay near."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from training.quantize import FLOAT_CONVOLUTIONS, NEIGHBOURS, quantize, whole_number_nodes


def residual_network(blocks: int) -> onnx.ModelProto:
    """Clips to the mean of convolutions with ReLU6 and residual sums, drawn weights, 8 channels."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Cast", ["clip"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "images"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["block0"], perm=[0, 3, 1, 2]),
    ]
    weights = {"scale": np.float32(1 / 255), "images": np.array([-1, 224, 224, 3]), "zero": np.float32(0)}
    weights["six"] = np.float32(6)
    for number in range(1, blocks + 1):
        inside, before, after = 3 if number == 1 else 8, f"block{number - 1}", f"block{number}"
        weights[f"kernel{number}"] = rng.normal(0, 0.4, (8, inside, 3, 3)).astype(np.float32)
        strides = [4, 4] if number == 1 else [1, 1]
        conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": strides}
        nodes.append(
            helper.make_node("Conv", [before, f"kernel{number}"], [f"c{number}"], f"conv{number}", **conv)
        )
        nodes.append(helper.make_node("Clip", [f"c{number}", "zero", "six"], [f"r{number}"], f"relu{number}"))
        if number == 1:
            nodes.append(helper.make_node("Identity", ["r1"], ["block1"]))
        else:
            nodes.append(helper.make_node("Add", [before, f"r{number}"], [after], f"sum{number}"))
    nodes.append(helper.make_node("GlobalAveragePool", [f"block{blocks}"], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["answer"]))
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("clip", TensorProto.UINT8, ("batch", 10, 224, 224, 3))],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ("frames", 8))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    """Four clips of soft noise."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (4, 10, 28, 28, 3), np.uint8)
    return small.repeat(8, axis=2).repeat(8, axis=3)


def whole_number_weights(model: onnx.ModelProto) -> list[np.ndarray]:
    """Kernels of the convolutions that compute in int8."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    maker = {node.output[0]: node for node in model.graph.node}
    kernels = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
    stored = [tensors[maker[name].input[0]] for name in kernels if name in maker]
    return [numpy_helper.to_array(tensor) for tensor in stored if tensor.data_type == TensorProto.INT8]


def run(model: onnx.ModelProto, clip: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    [answer] = session.run(None, {"clip": clip[np.newaxis]})
    return np.asarray(answer)


def test_the_first_convolutions_stay_in_float_and_only_what_they_feed_follows():
    names = whole_number_nodes(residual_network(5).graph)

    # sum4 adds block3, which is in float; sum5 adds that to what is in whole numbers
    assert names == ["conv4", "relu4", "conv5", "relu5"]
    assert FLOAT_CONVOLUTIONS == 3


def test_two_products_fit_in_16_bits(clips):
    """As processors without VNNI add them: more would be cut off there, and only there."""
    quantized = quantize(residual_network(8), clips[:2])

    weights = whole_number_weights(quantized)
    assert len(weights) == 8 - FLOAT_CONVOLUTIONS
    for values in weights:
        rows = np.abs(values.astype(int)).transpose(0, 2, 3, 1).reshape(len(values), -1)
        assert NEIGHBOURS - 3 <= (rows[:, 1:] + rows[:, :-1]).max() <= NEIGHBOURS
    assert np.iinfo(np.int16).max >= np.iinfo(np.uint8).max * NEIGHBOURS


def test_the_answers_stay_near_and_the_weights_shrink(clips):
    model = residual_network(8)

    quantized = quantize(model, clips[:2])

    onnx.checker.check_model(quantized)
    kinds = {tensor.name: tensor.data_type for tensor in quantized.graph.initializer}
    whole = [name for name, kind in kinds.items() if kind == TensorProto.INT8 and name.endswith("_quantized")]
    assert len(whole) == 8 - FLOAT_CONVOLUTIONS
    assert [value.name for value in quantized.graph.input] == ["clip"]
    assert not quantized.metadata_props
    exact, near = run(model, clips[3]), run(quantized, clips[3])
    assert np.abs(near - exact).max() < 0.03 * np.abs(exact).max()
    assert not np.array_equal(near, exact)
