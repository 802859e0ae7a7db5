"""What convolutions are fed: **model, real clips** -> by convolution, **mean and covariance of its taps**.

A tap is one of the values that an output is a weighted sum of: kernel height x width x input channels. How
they vary together says which errors of the weights an output shows, and which cancel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from training.export.int8.graph import attributes

Doubles = NDArray[np.float64]

_PLACES = 500  # of a clip at which a convolution is looked at: all that it has where they are fewest


@dataclass(frozen=True, eq=False)
class Moments:
    """Of the taps of a convolution, in the order of `taps`.

    Attributes:
        mean: float64 [tap]; of a depthwise convolution [channel, tap].
        covariance: float64 [tap, tap]; of a depthwise convolution [channel, tap, tap].
    """

    mean: Doubles
    covariance: Doubles


def measure_moments(
    model: onnx.ModelProto, clips: Iterable[NDArray[np.uint8]], names: Collection[str], *, seed: int = 0
) -> dict[str, Moments]:
    """Run a model and look at what some of its convolutions are fed.

    Args:
        model: of one input, uint8 [batch, 10, 224, 224, 3].
        clips: real ones, uint8 [10, 224, 224, 3] each, at least one.
        names: of convolutions of two dimensions, either of one group or with a group for each channel; other
            nodes may be among them.
        seed: of the places that are looked at.
    """
    convolutions = [node for node in model.graph.node if node.op_type == "Conv" and node.name in names]
    fed = list(dict.fromkeys(node.input[0] for node in convolutions))
    session = _session(model, fed)
    [clip_input] = session.get_inputs()
    rng = np.random.default_rng(seed)
    sums: dict[str, tuple[int, Doubles, Doubles]] = {}
    for clip in clips:
        values = dict(zip(fed, session.run(fed, {clip_input.name: clip[np.newaxis]}), strict=True))
        for node in convolutions:
            seen = taps(values[node.input[0]], node, rng)
            before = sums.get(node.name, (0, np.float64(0), np.float64(0)))
            new = seen.shape[-2], seen.sum(axis=-2, dtype=np.float64), seen.swapaxes(-1, -2) @ seen
            sums[node.name] = tuple(old + more for old, more in zip(before, new, strict=True))
    found = {}
    for name, (count, first, second) in sums.items():
        mean = first / count
        found[name] = Moments(mean, second / count - mean[..., :, np.newaxis] * mean[..., np.newaxis, :])
    return found


def taps(images: NDArray[np.float32], node: onnx.NodeProto, rng: np.random.Generator) -> NDArray[np.float32]:
    """Cut out what a convolution is fed at some places.

    Args:
        images: float32 [image, channel, height, width].
        node: the convolution; its padding is zeros.
        rng: draws the places.

    Returns:
        float32 [place, tap], a tap for each row, column and channel of the kernel, in this order of
        importance; of a depthwise convolution [channel, place, tap], by row and column.
    """
    given = attributes(node)
    top, left, bottom, right = given.get("pads", (0, 0, 0, 0))
    padded = np.pad(images, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, given["kernel_shape"], axis=(2, 3))
    down, across = given.get("strides", (1, 1))
    windows = windows[:, :, ::down, ::across]  # image, channel, height, width, row, column
    count, channels, height, width = windows.shape[:4]
    places = rng.permutation(count * height * width)[:_PLACES]
    image, row, column = np.unravel_index(places, (count, height, width))
    some = windows[image, :, row, column]  # place, channel, row, column
    if given.get("group", 1) > 1:
        return some.swapaxes(0, 1).reshape(channels, len(places), -1)
    return some.transpose(0, 2, 3, 1).reshape(len(places), -1)


def _session(model: onnx.ModelProto, tensors: Sequence[str]) -> Any:
    """Ready to say what is in some tensors of the model."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tensors
    )
    return onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
