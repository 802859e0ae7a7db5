"""A model in whole numbers: **float32 ONNX, real clips** -> **the same graph with int8 convolutions**.

Convolutions, what follows them and the sums of residual blocks compute with 8-bit integers; ranges of
activations are measured on real clips, weights have a scale for each channel (static quantisation in the QDQ
form: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018; https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html). All
behind the image network stays in float: statistics, head, softmax.

No sum is cut off, on any processor. Those of the x86 line without instructions for such products (VNNI), many
hosts of AWS Lambda among them, multiply by VPMADDUBSW: it adds the products of two neighbouring activations,
0..255, with their weights in 16 bits. So the weights of two neighbouring taps have magnitudes of `NEIGHBOURS`
together at most: 2^15 is more than 255 times that. Depthwise convolutions are added in 32 bits and keep all
8 bits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
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

from training.export.int8.graph import attributes, replace, stored
from training.export.int8.moments import Moments, measure_moments
from training.export.int8.rounding import round_rows, steps
from training.export.int8.stem import Pixels, feed_pixels, find_pixels, gather_columns
from training.quiet import only_errors

NEIGHBOURS = 128  # weights of two taps in sequence, their magnitudes added
RANGED = 32  # clips that ranges are measured on, 320 frames
_MOST = 127  # steps of a weight; -128 has no counterpart

Override = list[dict[str, Any]]


def quantize(proto: onnx.ModelProto, clips: Iterable[NDArray[np.uint8]]) -> onnx.ModelProto:
    """Return the model with its convolutions in int8; its inputs, outputs and names stay.

    Args:
        proto: of one input, uint8 [batch, 10, 224, 224, 3], with float32 weights.
        clips: real ones that it learned from, uint8 [10, 224, 224, 3] each, at least one.
    """
    seen = list(clips)
    # The quantiser warns, on the root logger, that a model should be prepared, which it was.
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
            overrides[pixels.tensor] = _as_they_are(pixels)
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
            # Of the ways to choose a range, the plain one: percentiles and entropy gave no better answers
            # on real clips, and take histograms of every activation in memory.
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantized = onnx.load(written)
    if pixels is not None:
        feed_pixels(quantized.graph)
        gather_columns(quantized.graph)
    del quantized.metadata_props[:]
    return quantized


def whole_number_nodes(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that compute in int8: convolutions, and what only they and their like feed.

    Convolutions of groups of several channels, of taps apart, or with padding that is not given in numbers
    stay in float.
    """
    held = stored(graph)
    tensors: set[str] = set()
    names = []
    for node in graph.node:
        if node.op_type == "Conv":
            given = attributes(node)
            grouped = given.get("group", 1) not in (1, held[node.input[1]].dims[0])
            apart = any(each != 1 for each in given.get("dilations", ()))
            chosen = not grouped and not apart and given.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        elif node.op_type == "Clip":  # ReLU6: its bounds are constants
            chosen = node.input[0] in tensors
        else:
            chosen = node.op_type == "Add" and set(node.input) <= tensors
        if chosen:
            names.append(node.name)
            tensors.update(node.output)
    return names


def round_weights(graph: onnx.GraphProto, moments: dict[str, Moments]) -> dict[str, Override]:
    """Put weights that are whole numbers of steps into a float graph.

    Args:
        graph: changed in place; each convolution has a bias.
        moments: of the taps of each convolution to be changed, by its name.

    Returns:
        For the tensor of each kernel, the range that makes these steps those of the quantiser.
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
    """Give each convolution a bias, which is to make up for the rounding."""
    held = stored(graph)
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 2:
            zeros = np.zeros(held[node.input[1]].dims[0], np.float32)
            graph.initializer.append(numpy_helper.from_array(zeros, f"{node.name}/bias"))
            node.input.append(f"{node.name}/bias")


def _as_they_are(pixels: Pixels) -> Override:
    """The range that makes the whole numbers of pixels the pixels themselves."""
    scale, zero_point = np.array(pixels.scale, np.float32), np.array(pixels.zero_point, np.uint8)
    return [{"quant_type": QuantType.QUInt8, "scale": scale, "zero_point": zero_point}]


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # of a library without types
    def __init__(self, name: str, clips: Sequence[NDArray[np.uint8]]) -> None:
        self._name, self._clips = name, iter(clips)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        clip = next(self._clips, None)
        return None if clip is None else {self._name: np.asarray(clip)[np.newaxis]}
