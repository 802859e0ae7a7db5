"""Quantises a float32 ONNX model to int8 convolutions, and fits its linear head to the outputs of these.

Convolutions, their activations and the sums of residual blocks compute with 8-bit integers; ranges of
activations are measured on real clips, and weights have a scale for each channel (static quantisation in the
QDQ form: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018; https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). All
that follows the image network stays in float: statistics, head, softmax.

No sum overflows, on any processor. x86 processors without instructions for such products (VNNI), many hosts
of AWS Lambda among them, multiply by VPMADDUBSW: it adds the products of two neighbouring activations,
0..255, with their weights in 16 bits. So the magnitudes of the weights of two neighbouring taps add up to
`NEIGHBOURS` at most: 2^15 is more than 255 times that. Depthwise convolutions are added in 32 bits and keep
all 8 bits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.errors import ExportFailed
from training.export.int8.graph import (
    Pixels,
    attributes,
    feed_pixels,
    find_pixels,
    gather_columns,
    replace,
    stored,
)
from training.export.int8.rounding import Moments, measure_moments, round_rows, steps
from training.network.head import Linear
from training.quiet import only_errors

NEIGHBOURS = 128  # sum of the magnitudes of the weights of two neighbouring taps, in steps
RANGED = 32  # clips that ranges are measured on, 320 frames
_PENALTY = 1.0  # of the head, share of the mean variance: of 0.01 to 10, best on held-out clips of one fold
_MOST = 127  # steps of a weight; -128 has no counterpart

Override = list[dict[str, Any]]


def quantize(proto: onnx.ModelProto, clips: Iterable[NDArray[np.uint8]]) -> onnx.ModelProto:
    """Return the model with its convolutions in int8; its inputs, outputs and names stay.

    Args:
        proto: of one input, uint8 [batch, 10, 224, 224, 3], with float32 weights.
        clips: real ones that it learned from, uint8 [10, 224, 224, 3] each, at least one.
    """
    seen = list(clips)
    # The quantiser warns, on the root logger, that a model should be prepared, although it was.
    with tempfile.TemporaryDirectory() as folder, only_errors():
        given, prepared, written = (Path(folder, f"{name}.onnx") for name in ("float", "prepared", "int8"))
        onnx.save(proto, given)
        quant_pre_process(str(given), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        names = whole_number_nodes(model.graph)
        _add_biases(model.graph)
        overrides = round_weights(model.graph, measure_moments(model, seen, names))
        pixels = find_pixels(model.graph, names)
        if pixels is not None:
            overrides[pixels.tensor] = _pixel_range(pixels)
        onnx.save(model, prepared)
        quantize_static(
            str(prepared),
            str(written),
            _Reader(model.graph.input[0].name, seen),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Add", "Clip", "Conv"],
            nodes_to_quantize=names,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"TensorQuantOverrides": overrides},
            # Percentiles and entropy gave no better answers on real clips, and need histograms of every
            # activation in memory.
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantized = onnx.load(written)
    if pixels is not None:
        feed_pixels(quantized.graph)
        gather_columns(quantized.graph)
    del quantized.metadata_props[:]
    return quantized


def whole_number_nodes(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that compute in int8: convolutions, and ReLU6 and sums that only such nodes feed.

    Convolutions with groups of several channels, with dilation or with automatic padding stay in float.
    """
    held = stored(graph)
    tensors: set[str] = set()
    names = []
    for node in graph.node:
        if node.op_type == "Conv":
            given = attributes(node)
            grouped = given.get("group", 1) not in (1, held[node.input[1]].dims[0])
            dilated = any(each != 1 for each in given.get("dilations", ()))
            chosen = not grouped and not dilated and given.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        elif node.op_type == "Clip":  # ReLU6: its bounds are constants
            chosen = node.input[0] in tensors
        else:
            chosen = node.op_type == "Add" and set(node.input) <= tensors
        if chosen:
            names.append(node.name)
            tensors.update(node.output)
    return names


def round_weights(graph: onnx.GraphProto, moments: dict[str, Moments]) -> dict[str, Override]:
    """Replace the weights of a float graph by whole numbers of steps.

    Args:
        graph: changed in place; each convolution has a bias.
        moments: of the taps of each convolution to be changed, by its name.

    Returns:
        For the tensor of each kernel, the range that makes the quantiser use these steps.
    """
    tensors = stored(graph)
    ranges: dict[str, Override] = {}
    for node in graph.node:
        if node.name not in moments:
            continue
        fed = moments[node.name]
        kernel = numpy_helper.to_array(tensors[node.input[1]])  # output, channel, row, column
        rows = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1).astype(np.float64)
        bound = NEIGHBOURS if attributes(node).get("group", 1) == 1 else None
        step = steps(rows, most=_MOST, neighbours=bound)
        whole = round_rows(rows / step[:, np.newaxis], fed.covariance, most=_MOST, neighbours=bound)
        rounded = whole * step[:, np.newaxis]
        shape = (len(kernel), *kernel.shape[2:], kernel.shape[1])
        replace(tensors[node.input[1]], rounded.reshape(shape).transpose(0, 3, 1, 2).astype(np.float32))
        bias = numpy_helper.to_array(tensors[node.input[2]])
        replace(tensors[node.input[2]], (bias - ((rounded - rows) * fed.mean).sum(axis=1)).astype(np.float32))
        ranges[node.input[1]] = [
            {"quant_type": QuantType.QInt8, "axis": 0, "symmetric": True, "rmin": -most, "rmax": most}
            for most in (step * _MOST).astype(np.float32)
        ]
    return ranges


def _add_biases(graph: onnx.GraphProto) -> None:
    """Give each convolution a bias, which will make up for the rounding."""
    held = stored(graph)
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 2:
            zeros = np.zeros(held[node.input[1]].dims[0], np.float32)
            graph.initializer.append(numpy_helper.from_array(zeros, f"{node.name}/bias"))
            node.input.append(f"{node.name}/bias")


def _pixel_range(pixels: Pixels) -> Override:
    """The range that quantises scaled pixels to the pixels themselves."""
    scale, zero_point = np.array(pixels.scale, np.float32), np.array(pixels.zero_point, np.uint8)
    return [{"quant_type": QuantType.QUInt8, "scale": scale, "zero_point": zero_point}]


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # of a library without types
    def __init__(self, name: str, clips: Sequence[NDArray[np.uint8]]) -> None:
        self._name, self._clips = name, iter(clips)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        clip = next(self._clips, None)
        return None if clip is None else {self._name: np.asarray(clip)[np.newaxis]}


def fit_head(
    exact: onnx.ModelProto, quantized: onnx.ModelProto, linear: Linear, clips: Sequence[NDArray[np.uint8]]
) -> Linear:
    """Fit a head with which the int8 model gives nearly the answers of the float model.

    The outputs of the image network differ a little in int8, and part of the difference is the same for
    similar pictures. A correction of the head removes it: ridge regression on the int8 model's clip vectors,
    with the differences of logits as targets.

    Args:
        exact: the float model, with an output `embedding`.
        quantized: the same in int8.
        linear: the head of both.
        clips: real ones that the model learned from, uint8 [10, 224, 224, 3] each.
    """
    wanted, found = (_vectors(proto, clips) for proto in (exact, quantized))
    mean = found.mean(axis=0)
    aims = (wanted - found) @ linear.matrix.astype(np.float64)
    centred = found - mean
    gram = centred @ centred.T
    penalty = _PENALTY * np.trace(gram) / len(clips)
    change = centred.T @ np.linalg.solve(gram + penalty * np.eye(len(clips)), aims - aims.mean(axis=0))
    shift = aims.mean(axis=0) - mean @ change
    return Linear((linear.matrix + change).astype(np.float32), (linear.bias + shift).astype(np.float32))


def put_head(proto: onnx.ModelProto, before: Linear, after: Linear) -> None:
    """Replace the head of a model.

    Raises:
        ExportFailed: the model does not contain the head `before`.
    """
    for old, new in ((before.matrix, after.matrix), (before.bias, after.bias)):
        same = [
            tensor
            for tensor in proto.graph.initializer
            if tuple(tensor.dims) == old.shape and np.array_equal(numpy_helper.to_array(tensor), old)
        ]
        if not same:
            raise ExportFailed("the int8 model does not contain the head that it was made with")
        for tensor in same:
            replace(tensor, new)


def _vectors(proto: onnx.ModelProto, clips: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only; it warns of every unused constant
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    vectors = [session.run(["embedding"], {name: clip[np.newaxis]})[0] for clip in clips]
    return np.concatenate(vectors).astype(np.float64)
