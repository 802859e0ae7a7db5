"""Small ONNX models that know three colours, and the clips and GIFs that they classify."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from services.clip import CLIP_SHAPE, CLIP_SIZE, Clip

SHOWS = RED, GREEN, BLUE = ("Red Show", "Green Show", "Blue Show")
METADATA = {
    "contract": "gif-analyzer/1",
    "name": "mean-colour",
    "version": "1.2.3",
    "shows": json.dumps(SHOWS),
    "clip_shape": "[10, 224, 224, 3]",
    "unknown_threshold": "0.25",
    "training_data_sha256": "0" * 64,
    "licence": "Apache-2.0",
}
OUTPUT_SHAPES: dict[str, tuple[int | str, ...]] = {
    "probabilities": ("batch", 3),
    "frame_probabilities": ("batch", 10, 3),
    "embedding": ("batch", 3),
    "familiarity": ("batch",),
}


def mean_colour_model(
    *,
    metadata: Mapping[str, str | None] = {},
    outputs: Mapping[str, tuple[int | str, ...] | None] = {},
    input_name: str = "clip",
    input_shape: tuple[int | str, ...] = ("batch", *CLIP_SHAPE),
    input_type: int = TensorProto.UINT8,
    second_input: bool = False,
    scale: float = 8.0,
) -> onnx.ModelProto:
    """A classifier that knows three shows, a red one, a green one and a blue one, by their mean colour.

    The familiarity of a clip is how colourful it is: grey is 0, a pure colour is near 1.
    metadata and outputs override what the contract requires; None leaves a key or an output out.
    """
    nodes = [
        helper.make_node("Cast", [input_name], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels", "white"], ["unit"]),
        helper.make_node("ReduceMean", ["unit"], ["colour"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["colour", "scale"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["frame_probabilities"], axis=-1),
        helper.make_node("ReduceMean", ["logits"], ["mean_logits"], axes=[1], keepdims=0),
        helper.make_node("Softmax", ["mean_logits"], ["probabilities"], axis=-1),
        helper.make_node("ReduceMean", ["colour"], ["embedding"], axes=[1], keepdims=0),
        helper.make_node("ReduceMax", ["embedding"], ["most"], axes=[1], keepdims=0),
        helper.make_node("ReduceMin", ["embedding"], ["least"], axes=[1], keepdims=0),
        helper.make_node("Sub", ["most", "least"], ["familiarity"]),
    ]
    inputs = [helper.make_tensor_value_info(input_name, input_type, input_shape)]
    if second_input:
        inputs.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, (1,)))
    kept = {name: shape for name, shape in {**OUTPUT_SHAPES, **outputs}.items() if shape is not None}
    graph = helper.make_graph(
        nodes,
        "mean_colour",
        inputs,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in kept.items()],
        initializer=[
            numpy_helper.from_array(np.float32(255), "white"),
            numpy_helper.from_array(np.float32(scale), "scale"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    strings = {key: value for key, value in {**METADATA, **metadata}.items() if value is not None}
    helper.set_model_props(model, strings)
    return model


EARLY_EXIT = {"frames": [2, 5, 8], "threshold": 0.9}


def early_exit_model(**options: Any) -> onnx.ModelProto:
    """A mean-colour model of any number of frames that stops when frames 2, 5 and 8 are 90 % sure.

    The familiarity of a clip is its largest probability.
    """
    open_axis = {
        "input_shape": ("batch", "frame", *CLIP_SHAPE[1:]),
        "outputs": {"frame_probabilities": ("batch", "frame", 3)},
        "metadata": {"early_exit": json.dumps(EARLY_EXIT), "unknown_threshold": "0.5"},
    }
    model = mean_colour_model(**{**open_axis, **options})
    del model.graph.node[-3:]
    largest = helper.make_node("ReduceMax", ["probabilities"], ["familiarity"], axes=[1], keepdims=0)
    model.graph.node.append(largest)
    return model


VERDICT = {"show": 0.9, "one_of": 0.6, "kind": 0.9}
KINDS = {"Red Show": "live action", "Green Show": "live action", "Blue Show": "anime"}


def familiar_model(*, metadata: Mapping[str, str] = {}, **options: Any) -> onnx.ModelProto:
    """A mean-colour model of any number of frames that gives the familiarity of each frame, with a verdict.

    Its logit of "none of these" is half the sum of the logits of its shows, and the familiarity of a clip or
    a frame is the logarithm of the odds against that: red is familiar, grey and white are not.
    """
    open_axis: dict[str, Any] = {
        "input_shape": ("batch", "frame", *CLIP_SHAPE[1:]),
        "outputs": {
            "frame_probabilities": ("batch", "frame", 3),
            "frame_familiarity": ("batch", "frame"),
        },
        "metadata": {
            "unknown_threshold": "-1",
            "verdict": json.dumps(VERDICT),
            "kinds": json.dumps(KINDS),
            **metadata,
        },
    }
    model = mean_colour_model(**{**open_axis, **options})
    del model.graph.node[-3:]
    for logits, familiarity in (("logits", "frame_familiarity"), ("mean_logits", "familiarity")):
        shows, none = f"{familiarity}_shows", f"{familiarity}_none"
        model.graph.node.extend(
            [
                helper.make_node("ReduceLogSumExp", [logits], [shows], axes=[-1], keepdims=0),
                helper.make_node("ReduceSum", [logits, "last_axis"], [f"{none}_twice"], keepdims=0),
                helper.make_node("Div", [f"{none}_twice", "two"], [none]),
                helper.make_node("Sub", [shows, none], [familiarity]),
            ]
        )
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.int64([-1]), "last_axis"),
            numpy_helper.from_array(np.float32(2), "two"),
        ]
    )
    return model


def make_clip(*colours: tuple[int, int, int]) -> Clip:
    """A clip of striped frames, the colours one after another, each for an equal part of the ten frames."""
    frames = np.empty(CLIP_SHAPE, np.uint8)
    for index in range(len(frames)):
        frames[index] = striped(colours[index * len(colours) // len(frames)])
    return Clip(frames, tuple(range(50, 1050, 100)))


def striped(
    colour: tuple[int, int, int], *, height: int = CLIP_SIZE, width: int = CLIP_SIZE
) -> NDArray[np.uint8]:
    """A picture in one colour with thin stripes, because a plain one is unknown to every model.

    Of 28 diagonals one is black and one is white, so that the mean of a frame is `mean_colour(colour)`.
    """
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = colour
    diagonal = np.add.outer(np.arange(height), np.arange(width)) % 28
    picture[diagonal == 0], picture[diagonal == 12] = 0, 255
    return picture


def mean_colour(colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """The mean of a frame that is striped in a colour, float64 [3]."""
    return (26 * np.array(colour) + 255) / 28


def save_candidate(path: Path, *, version: str, shows: tuple[str, ...] = SHOWS) -> Path:
    """Write a model that knows the colours by these names; in another order it is wrong about them."""
    onnx.save(mean_colour_model(metadata={"version": version, "shows": json.dumps(shows)}), path)
    return path


def draw_evaluation(manifest: Path) -> Path:
    """Write a manifest of 36 GIFs of plain colours beside them, twelve for each show."""
    lines = ["path,show,group"]
    for place, show in enumerate(SHOWS):
        for number in range(12):
            colour = [2 * number, number, 3 * number]
            colour[place] = 255 - number
            name = f"{place}-{number}.gif"
            Image.new("RGB", (64, 48), tuple(colour)).save(manifest.with_name(name))
            lines.append(f"{name},{show},{name}")
    manifest.write_text("\n".join(lines) + "\n")
    return manifest
