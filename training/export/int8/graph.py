"""Reads and rewrites ONNX graphs; feeds the first convolution of a quantised graph the pixels themselves.

A network scales its pixels to floats, and a quantised one then rounds them to the integers that they were:
`feed_pixels` removes both steps. A convolution of three channels is slow, because its input is gathered three
bytes at a time. So `gather_columns` treats `GATHERED` pixels of a row as one pixel with that many times the
channels, which moves nothing in memory; the outputs at these pixels become channels of one place. Neither
changes an answer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

GATHERED = 4  # pixels of a row: with three channels 12 bytes, which are multiplied four at a time
_SHAPES = {"Cast", "Reshape", "Transpose"}
_SUMS = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node, by name."""
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def stored(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """The stored tensors of a graph, by name."""
    return {tensor.name: tensor for tensor in graph.initializer}


def makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The node that computes each tensor."""
    return {name: node for node in graph.node for name in node.output}


def replace(tensor: onnx.TensorProto, values: NDArray[Any]) -> None:
    """Replace the values of a stored tensor."""
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


@dataclass(frozen=True)
class Pixels:
    """How a network scales pixels: a pixel p becomes (p - zero_point) * scale.

    Attributes:
        tensor: the scaled pixels, the input of the first convolution.
        scale: of one step, above 0.
        zero_point: 0..255.
    """

    tensor: str
    scale: float
    zero_point: int


def find_pixels(graph: onnx.GraphProto, names: Collection[str]) -> Pixels | None:
    """Find how a float graph scales its pixels.

    Args:
        graph: takes pixels, 0..255.
        names: of the nodes that will compute in int8.

    Returns:
        None if the first convolution is not one of them, its pixels are not all scaled alike, or the zero of
        the scale is not an integer.
    """
    first = next((node for node in graph.node if node.op_type == "Conv"), None)
    path = None if first is None or first.name not in names else _path(graph, first.input[0])
    if first is None or path is None:
        return None
    tensors, values = stored(graph), np.arange(256, dtype=np.float32)
    for node in path:
        if node.op_type in _SUMS:
            values = _SUMS[node.op_type](values, numpy_helper.to_array(tensors[node.input[1]]).reshape(()))
    scale = float(values[255] - values[0]) / 255
    if not scale > 0:
        return None
    zero_point = round(float(-values[0]) / scale)
    exact = np.allclose(values, (np.arange(256) - zero_point) * scale, rtol=0, atol=scale * 1e-3)
    return Pixels(first.input[0], scale, zero_point) if exact and 0 <= zero_point <= 255 else None


def feed_pixels(graph: onnx.GraphProto) -> None:
    """Let the first convolution of a quantised graph take the pixels themselves.

    Args:
        graph: QDQ, whose pixels were quantised by the scale that `find_pixels` found.
    """
    maker = makers(graph)
    widen = maker[next(node for node in graph.node if node.op_type == "Conv").input[0]]
    narrow = maker[widen.input[0]]
    path = _path(graph, narrow.input[0])
    assert path is not None
    before = graph.input[0].name
    for node in path:
        if node.op_type in ("Reshape", "Transpose"):
            node.input[0], before = before, node.output[0]
        else:
            graph.node.remove(node)
    graph.node.remove(narrow)
    widen.input[0] = before
    del graph.value_info[:]  # their types are those of floats


def gather_columns(graph: onnx.GraphProto) -> None:
    """Let the first convolution of a quantised graph take `GATHERED` pixels as one.

    Args:
        graph: QDQ, as `feed_pixels` leaves it. It stays as it is if the number of pixels in a row is not a
            multiple, the strides do not fit, or the outputs are not quantised.
    """
    maker, held = makers(graph), stored(graph)
    conv = next(node for node in graph.node if node.op_type == "Conv")
    turn = maker.get(maker[conv.input[0]].input[0])
    images = maker.get(turn.input[0]) if turn is not None else None
    if turn is None or images is None or (turn.op_type, images.op_type) != ("Transpose", "Reshape"):
        return
    narrow = _quantiser_after(graph, conv)
    *_, height, width, channels = numpy_helper.to_array(held[images.input[1]]).tolist()
    kernel, *other_kernel = maker[conv.input[1]].input
    weights = numpy_helper.to_array(held[kernel])  # output, channel, row, column
    given = attributes(conv)
    top, left, bottom, right = given.get("pads", (0, 0, 0, 0))
    down, across = given.get("strides", (1, 1))
    rows, columns = given["kernel_shape"]
    high, wide = (height + top + bottom - rows) // down + 1, (width + left + right - columns) // across + 1
    if narrow is None or width % GATHERED or GATHERED % across or wide * across != width:
        return
    together = GATHERED // across  # outputs of a row that become channels of one place
    wider, before, behind = _gathered(weights, across, left)
    replace(held[kernel], wider)
    for name in {*other_kernel, *(maker[conv.input[2]].input if len(conv.input) > 2 else ())}:
        replace(held[name], np.tile(numpy_helper.to_array(held[name]), together))
    shape = np.array([-1, height, width // GATHERED, GATHERED * channels])
    graph.initializer.append(numpy_helper.from_array(shape, f"{conv.name}/gathered"))
    images.input[1] = f"{conv.name}/gathered"
    changed = {
        "kernel_shape": wider.shape[2:],
        "pads": [top, before, bottom, behind],
        "strides": [down, 1],
    }
    del conv.attribute[:]
    conv.attribute.extend(helper.make_attribute(name, value) for name, value in changed.items())
    _spread(graph, narrow, (-1, high, wide, len(weights)))


def _gathered(kernel: NDArray[Any], across: int, left: int) -> tuple[NDArray[Any], int, int]:
    """The kernel on gathered pixels that is equivalent to a kernel on single ones.

    Args:
        kernel: [output, channel, row, column].
        across: columns from one output to the next, a divisor of `GATHERED`.
        left: columns of padding.

    Returns:
        A kernel [place and output, pixel and channel, row, gathered column], and the number of gathered
        columns of padding on the left and on the right.
    """
    outputs, channels, rows, columns = kernel.shape
    together = GATHERED // across
    before = -(-left // GATHERED)
    behind = ((together - 1) * across - left + columns - 1) // GATHERED
    wider = np.zeros((together, outputs, GATHERED, channels, rows, before + 1 + behind), kernel.dtype)
    for place in range(together):
        for column in range(columns):
            block, pixel = divmod(place * across - left + column, GATHERED)
            wider[place, :, pixel, :, :, before + block] = kernel[..., column]
    shape = together * outputs, GATHERED * channels, rows, before + 1 + behind
    return wider.reshape(shape), before, behind


def _path(graph: onnx.GraphProto, tensor: str) -> list[onnx.NodeProto] | None:
    """The nodes from the graph's input to a tensor; None if they do more than scale and transpose it."""
    maker, held = makers(graph), stored(graph)
    path: list[onnx.NodeProto] = []
    while tensor != graph.input[0].name:
        node = maker.get(tensor)
        if node is None or sum(list(other.input).count(tensor) for other in graph.node) > 1:
            return None
        scales = node.op_type in _SUMS and node.input[1] in held
        if not (node.op_type in _SHAPES or (scales and np.prod(held[node.input[1]].dims) == 1)):
            return None
        path.insert(0, node)
        tensor = node.input[0]
    return path


def _quantiser_after(graph: onnx.GraphProto, conv: onnx.NodeProto) -> onnx.NodeProto | None:
    """The node that quantises the output of a convolution, after its activation if it has one."""
    tensor = conv.output[0]
    while True:
        users = [node for node in graph.node if tensor in node.input]
        if len(users) != 1 or users[0].op_type not in ("Clip", "Relu", "QuantizeLinear"):
            return None
        if users[0].op_type == "QuantizeLinear":
            return users[0]
        tensor = users[0].output[0]


def _spread(graph: onnx.GraphProto, narrow: onnx.NodeProto, shape: tuple[int, ...]) -> None:
    """Move the outputs of `narrow` that are channels of one place back to places of their own."""
    whole = narrow.output[0]
    name = f"{whole}/gathered"
    narrow.output[0] = name
    graph.initializer.append(numpy_helper.from_array(np.array(shape), f"{name}/shape"))
    nodes = [
        helper.make_node("Transpose", [name], [f"{name}/last"], f"{name}/last", perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", [f"{name}/last", f"{name}/shape"], [f"{name}/apart"], f"{name}/apart"),
        helper.make_node("Transpose", [f"{name}/apart"], [whole], f"{name}/first", perm=[0, 3, 1, 2]),
    ]
    place = list(graph.node).index(narrow) + 1
    for number, node in enumerate(nodes):
        graph.node.insert(place + number, node)
