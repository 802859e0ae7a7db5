"""Networks with random weights, from clips to means of channels."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


class Drawn:
    """A graph under construction; each method adds a layer with random weights.

    Pixels become (p - 127) / 128. They are arranged as images of `size` pixels a side: with a smaller size
    than 224, a clip has more images than frames.
    """

    def __init__(self, size: int = 224, offset: float = -127 / 128) -> None:
        self.rng = np.random.default_rng(0)
        self.weights = {"scale": np.float32(1 / 128), "offset": np.float32(offset)}
        self.weights |= {"images": np.array([-1, size, size, 3]), "zero": np.float32(0), "six": np.float32(6)}
        self.nodes = [
            helper.make_node("Cast", ["clip"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["float", "images"], ["rows"]),
            helper.make_node("Mul", ["rows", "scale"], ["scaled"]),
            helper.make_node("Add", ["scaled", "offset"], ["moved"]),
            helper.make_node("Transpose", ["moved"], ["pixels"], perm=[0, 3, 1, 2]),
        ]
        self.last, self.channels = "pixels", 3

    def conv(self, channels: int = 8, *, depthwise: bool = False, bias: bool = True, **attributes) -> "Drawn":
        """Append a convolution with random weights, followed by ReLU6."""
        number = sum(node.op_type == "Conv" for node in self.nodes) + 1
        attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], **attributes}
        inside = 1 if depthwise else self.channels
        kernel = self.rng.normal(0, 1 / (3 * inside**0.5), (channels, inside, *attributes["kernel_shape"]))
        self.weights[f"kernel{number}"] = kernel.astype(np.float32)
        given = [self.last, f"kernel{number}"]
        if bias:
            self.weights[f"bias{number}"] = self.rng.normal(0.5, 0.2, channels).astype(np.float32)
            given.append(f"bias{number}")
        attributes["group"] = channels if depthwise else 1
        self.nodes.append(helper.make_node("Conv", given, [f"c{number}"], f"conv{number}", **attributes))
        clip = helper.make_node("Clip", [f"c{number}", "zero", "six"], [f"r{number}"], f"relu{number}")
        self.nodes.append(clip)
        self.last, self.channels = f"r{number}", channels
        return self

    def residual(self) -> "Drawn":
        """Add a convolution and ReLU6 with a residual connection."""
        before = self.last
        self.conv(self.channels)
        number = self.last[1:]
        self.nodes.append(helper.make_node("Add", [before, self.last], [f"s{number}"], f"sum{number}"))
        self.last = f"s{number}"
        return self

    def model(self) -> onnx.ModelProto:
        """The model; its output is the mean of each channel of each image."""
        pool = [
            helper.make_node("GlobalAveragePool", [self.last], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["answer"]),
        ]
        graph = helper.make_graph(
            [*self.nodes, *pool],
            "drawn",
            [helper.make_tensor_value_info("clip", TensorProto.UINT8, ("batch", 10, 224, 224, 3))],
            [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ("images", self.channels))],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in self.weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def soft_noise(clips: int) -> np.ndarray:
    """Clips of noise in blocks of 8 x 8 pixels, uint8 [clip, 10, 224, 224, 3]."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (clips, 10, 28, 28, 3), np.uint8).repeat(8, axis=2).repeat(8, axis=3)


def run(model: onnx.ModelProto, clip: np.ndarray, *tensors: str) -> list[np.ndarray]:
    """The outputs of a model for a clip, or the values of some of its tensors."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    for name in tensors:
        watched.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(list(tensors) or None, {"clip": clip[np.newaxis]})
