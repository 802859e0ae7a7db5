"""Rounds the weights of convolutions to whole numbers of steps, given what the convolutions take as input.

The nearest whole number is best for each weight alone, but not for their sum: a kernel that detects edges
weighs similar pixels against each other, and must still give nothing where all are equal. So each weight is
rounded in turn, and the following ones make up for its error as far as their inputs vary with its input
(GPTQ: Frantar, Ashkboos, Hoefler and Alistarh, ICLR 2023, which is Optimal Brain Surgeon, Hassibi and Stork,
1993, for rounding). The mean of the remaining error goes into the bias (Nagel, van Baalen, Blankevoort and
Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019).

A tap here is one of the values that an output is a weighted sum of: kernel height x width x input channels.
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

_PLACES = 500  # of a clip that a convolution is measured at: all, where it has the fewest
_DAMPING = 0.01  # share of the mean variance added to each: without it the matrix may have no inverse


def steps(rows: Doubles, *, most: int, neighbours: int | None = None) -> Doubles:
    """Choose the step of each row so that its largest weight is at most `most` steps.

    Args:
        rows: weights, float64 [output, tap].
        most: the largest magnitude in steps.
        neighbours: bound of the sum of the magnitudes of two neighbouring taps in steps; None for no bound.

    Returns:
        float64 [output], above 0.
    """
    reach = np.abs(rows).max(axis=1)
    if neighbours is not None and rows.shape[1] > 1:
        pairs = np.abs(rows[:, 1:]) + np.abs(rows[:, :-1])
        # Both are rounded by up to half a step, so one step is left for that.
        reach = np.maximum(reach, pairs.max(axis=1) * most / (neighbours - 1))
    return np.where(reach > 0, reach, 1.0) / most


def round_rows(
    rows: Doubles, covariance: Doubles, *, most: int, neighbours: int | None = None
) -> NDArray[np.int8]:
    """Round weights so that the weighted sums change as little as possible.

    Args:
        rows: weights in steps, float64 [output, tap].
        covariance: of the taps, float64 [tap, tap], or [output, tap, tap] where each output has its own.
        most: the largest magnitude, 127 at most.
        neighbours: bound of the sum of the magnitudes of two neighbouring taps in steps; None for no bound.

    Returns:
        int8 [output, tap]. A weight of 0 stays 0.
    """
    left, rounded = rows.copy(), np.zeros(rows.shape, np.int8)
    reach = _compensation(covariance)
    for tap in range(rows.shape[1]):
        bound = np.full(len(rows), most)
        if neighbours is not None and tap:
            bound = np.minimum(bound, neighbours - np.abs(rounded[:, tap - 1].astype(int)))
        bound[rows[:, tap] == 0] = 0
        rounded[:, tap] = np.clip(np.round(left[:, tap]), -bound, bound)
        error = (left[:, tap] - rounded[:, tap]) / reach[..., tap, tap]
        left[:, tap + 1 :] -= error[:, np.newaxis] * reach[..., tap, tap + 1 :]
    return rounded


def _compensation(covariance: Doubles) -> Doubles:
    """How later taps make up for earlier ones: the upper Cholesky factor of the inverse, same shape."""
    taps = covariance.shape[-1]
    variance = np.einsum("...ii->...i", covariance).mean(axis=-1)
    damped = covariance + (_DAMPING * variance + 1e-9)[..., np.newaxis, np.newaxis] * np.eye(taps)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).swapaxes(-1, -2))


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of the taps of a convolution, in the order of `taps`.

    Attributes:
        mean: float64 [tap]; for a depthwise convolution [channel, tap].
        covariance: float64 [tap, tap]; for a depthwise convolution [channel, tap, tap].
    """

    mean: Doubles
    covariance: Doubles


def measure_moments(
    model: onnx.ModelProto, clips: Iterable[NDArray[np.uint8]], names: Collection[str]
) -> dict[str, Moments]:
    """Run a model and measure the inputs of some of its convolutions.

    Args:
        model: of one input, uint8 [batch, 10, 224, 224, 3].
        clips: real ones, uint8 [10, 224, 224, 3] each, at least one.
        names: of convolutions of two dimensions, either of one group or with a group for each channel; names
            of other nodes are ignored.
    """
    convolutions = [node for node in model.graph.node if node.op_type == "Conv" and node.name in names]
    fed = list(dict.fromkeys(node.input[0] for node in convolutions))
    session = _session(model, fed)
    [clip_input] = session.get_inputs()
    rng = np.random.default_rng(0)
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
    """Take the inputs of a convolution at some places.

    Args:
        images: float32 [image, channel, height, width].
        node: the convolution; its padding is zeros.
        rng: draws the places.

    Returns:
        float32 [place, tap], the taps ordered by row, column and channel of the kernel; for a depthwise
        convolution [channel, place, tap], ordered by row and column.
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
    """A session that outputs some tensors of the model."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tensors
    )
    return onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
