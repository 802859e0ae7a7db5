"""A model in whole numbers: **float32 ONNX, real clips** -> **the same graph with int8 convolutions**.

Convolutions, what follows them and the sums of residual blocks compute with 8-bit integers; ranges of
activations are measured on real clips, weights have a scale for each channel (static quantisation in the QDQ
form: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018; https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).

No sum is cut off, on any processor. Those of the x86 line without instructions for such products (VNNI), many
hosts of AWS Lambda among them, multiply by VPMADDUBSW: it adds the products of two neighbouring activations,
0..255, with their weights in 16 bits. So the weights of two neighbouring input channels have magnitudes of
`NEIGHBOURS` together at most: 2^15 is more than 255 times that. Weights of 7 bits hold to that as well, and
were too coarse: another show for 4.5 % of clips. Depthwise convolutions have no neighbours, are added
in 32 bits and keep all 8 bits.

In float stay the scaling of pixels and the first convolutions, whose few channels span the widest ranges and
cost the least, and all behind the image network: statistics, head, softmax.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

NEIGHBOURS = 128  # weights of two input channels, their magnitudes added
FLOAT_CONVOLUTIONS = 3  # the stem, and the first block's depthwise and projecting convolutions
CALIBRATED = 32  # clips that ranges are measured on, 320 frames


def quantize(proto: onnx.ModelProto, clips: Iterable[NDArray[np.uint8]]) -> onnx.ModelProto:
    """Return the model with its convolutions in int8; its inputs, outputs and names stay.

    Args:
        proto: of one input, uint8 [batch, 10, 224, 224, 3], with float32 weights.
        clips: real ones that it learned from, uint8 [10, 224, 224, 3] each, at least one.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        given, prepared, written = (Path(folder, f"{name}.onnx") for name in ("float", "prepared", "int8"))
        onnx.save(proto, given)
        quant_pre_process(str(given), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        quantize_static(
            str(prepared),
            str(written),
            _Reader(model.graph.input[0].name, clips),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Add", "Clip", "Conv"],
            nodes_to_quantize=whole_number_nodes(model.graph),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"TensorQuantOverrides": _weight_ranges(model.graph)},
            # Of the ways to choose a range, the plain one: percentiles and entropy gave no better answers
            # on real clips, and take histograms of every activation in memory.
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantized = onnx.load(written)
    del quantized.metadata_props[:]
    return quantized


def whole_number_nodes(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that compute in int8: convolutions, and what only they and their like feed."""
    tensors: set[str] = set()
    names = []
    convolutions = 0
    for node in graph.node:
        if node.op_type == "Conv":
            convolutions += 1
            chosen = convolutions > FLOAT_CONVOLUTIONS
        elif node.op_type == "Clip":  # ReLU6: its bounds are constants
            chosen = node.input[0] in tensors
        else:
            chosen = node.op_type == "Add" and set(node.input) <= tensors
        if chosen:
            names.append(node.name)
            tensors.update(node.output)
    return names


def _weight_ranges(graph: onnx.GraphProto) -> dict[str, list[dict[str, Any]]]:
    """For the kernels whose products are added in pairs, the range of each output channel.

    127 steps are the largest weight, or the largest two of neighbours where these are more together: each is
    rounded by half a step, so that `NEIGHBOURS` holds.
    """
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    chosen = set(whole_number_nodes(graph))
    ranges = {}
    for node in graph.node:
        if node.op_type != "Conv" or node.name not in chosen:
            continue
        kernel = np.abs(numpy_helper.to_array(tensors[node.input[1]]))  # [out, in, height, width]
        if kernel.shape[1] == 1:
            continue
        rows = kernel.transpose(0, 2, 3, 1).reshape(len(kernel), -1)
        reach = np.maximum(rows.max(axis=1), (rows[:, 1:] + rows[:, :-1]).max(axis=1))
        ranges[node.input[1]] = [
            {"quant_type": QuantType.QInt8, "axis": 0, "symmetric": True, "rmin": -most, "rmax": most}
            for most in reach
        ]
    return ranges


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # of a library without types
    def __init__(self, name: str, clips: Iterable[NDArray[np.uint8]]) -> None:
        self._name, self._clips = name, iter(clips)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        clip = next(self._clips, None)
        return None if clip is None else {self._name: np.asarray(clip)[np.newaxis]}


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser warns on the root logger that a model should be prepared, which it was."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
