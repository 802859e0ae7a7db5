"""A Keras model as an ONNX graph: **keras.Model** -> tf2onnx -> **onnx.ModelProto**."""

from __future__ import annotations

import gc

import keras
import onnx

from training.errors import ExportFailed
from training.quiet import only_errors

OPSET = 17


def to_onnx(model: keras.Model) -> onnx.ModelProto:
    """Convert a Keras model of one input to opset `OPSET`, any batch size and number of frames.

    Raises:
        ExportFailed: the graph has operations that cannot be converted.
    """
    import tensorflow as tf  # noqa: PLC0415 - with tf2onnx, the slowest of imports
    import tf2onnx  # noqa: PLC0415

    tensor = model.inputs[0]
    signature = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=tensor.name)]
    with only_errors("tf2onnx"):  # it reports its every step
        try:
            proto, _ = tf2onnx.convert.from_keras(model, input_signature=signature, opset=OPSET)
        except (ValueError, RuntimeError, NotImplementedError) as error:
            raise ExportFailed(f"tf2onnx: {error}") from error
        finally:
            gc.collect()  # the traced graph holds itself: a gigabyte
    return proto
