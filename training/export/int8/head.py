"""The linear head fitted again: **a float model, its int8 form, clips** -> **a head for what int8 sees**.

The image network says something a little different in int8, and part of the difference is the same for
pictures that are alike. A correction of the head takes it back: ridge regression on the int8 model's clip
vectors, with the differences of logits as the aim.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from training.errors import ExportFailed
from training.network.head import Linear

_EMBEDDING = "embedding"
_PENALTY = 1.0  # share of the mean variance: of 0.01 to 10, best on held-out clips of one fold


def fit_head(
    exact: onnx.ModelProto, quantized: onnx.ModelProto, linear: Linear, clips: Sequence[NDArray[np.uint8]]
) -> Linear:
    """Find the head with which the int8 model answers most nearly what the float model does.

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
    """Put another head into a model.

    Raises:
        ExportFailed: the model does not have the head of before.
    """
    for old, new in ((before.matrix, after.matrix), (before.bias, after.bias)):
        same = [
            tensor
            for tensor in proto.graph.initializer
            if tuple(tensor.dims) == old.shape and np.array_equal(numpy_helper.to_array(tensor), old)
        ]
        if not same:
            raise ExportFailed("the int8 model does not hold the head that it was made with")
        for tensor in same:
            tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))


def _vectors(proto: onnx.ModelProto, clips: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of every constant that it finds unused
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    vectors = [session.run([_EMBEDDING], {name: clip[np.newaxis]})[0] for clip in clips]
    return np.concatenate(vectors).astype(np.float64)
