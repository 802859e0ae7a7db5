"""The whole model: **clips uint8 [batch, frame, 224, 224, 3]** -> image network -> head -> **answers**.

A clip has ten frames; the model takes any number from one on, so that some may be looked at before others.
Frames and clips are folded into one axis for the image network and unfolded after it: a layer that is "time
distributed" over an axis of unknown length gives wrong numbers in Keras 3.15.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_SHAPE
from services.inference import Verdict, VerdictRule
from services.inference.prediction import decide
from training.errors import InvalidRun
from training.files import replacing
from training.network.backbone import Backbone
from training.network.head import Head, Linear, Part, Tap

# The last one only of a head that learned what is none of its shows.
OUTPUTS = ("probabilities", "frame_probabilities", "embedding", "familiarity", "frame_familiarity")
_VARIANCE_FLOOR = 1e-5  # keeps the slope of the square root finite where a picture is flat


def tap_tensor(feature_map: Any, tap: Tap) -> Any:
    """The numbers of a tap, [N, n], of a feature map [N, height, width, channel]."""
    mean = keras.ops.mean(feature_map, axis=(1, 2))
    if tap.statistic == "mean":
        return mean
    # Two passes: the mean of squares less the square of the mean loses digits where pictures are flat.
    apart = feature_map - keras.ops.mean(feature_map, axis=(1, 2), keepdims=True)
    if tap.statistic == "covariance":
        height, width, channels = feature_map.shape[1:]
        flat = keras.ops.reshape(apart, (-1, height * width, channels))
        products = keras.ops.matmul(keras.ops.transpose(flat, (0, 2, 1)), flat) / (height * width)
        rows, columns = np.triu_indices(channels)
        flat_products = keras.ops.reshape(products, (-1, channels * channels))
        return keras.ops.take(flat_products, (rows * channels + columns).astype(np.int32), axis=1)
    return keras.ops.sqrt(keras.ops.mean(keras.ops.square(apart), axis=(1, 2)) + _VARIANCE_FLOOR)


def tap_model(backbone: Backbone, taps: Sequence[Tap]) -> keras.Model:
    """The image network up to its taps: images [N, 224, 224, 3] to a list of float32 [N, n].

    Raises:
        UnknownBackbone: the network has no such block.
    """
    image = backbone.model.input
    maps = {tap.block: backbone.output(tap.block) for tap in taps}
    return keras.Model(image, [tap_tensor(maps[tap.block], tap) for tap in taps])


class _Unfold(keras.layers.Layer):  # type: ignore[misc]  # of a library without types
    """Values [batch * frame, n] of all frames to [batch, frame, n], as many frames as the clips have.

    A layer, because the number of frames is known only when the model runs.
    """

    def call(self, inputs: tuple[Any, Any]) -> Any:
        values, clip = inputs
        return keras.ops.reshape(values, (-1, keras.ops.shape(clip)[1], values.shape[-1]))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        values, clip = input_shape
        return (*clip[:2], values[-1])


def clip_model(backbone: Backbone, head: Head, *, frames: int | None = None) -> keras.Model:
    """Build the model that is exported.

    Args:
        backbone: the image network, with its final weights.
        head: fitted on that network.
        frames: of every clip, for a model of Keras's own layers alone; None takes any number.

    Returns:
        Model of `clip` uint8 [batch, frame, 224, 224, 3] to a dict of `OUTPUTS`: probabilities [batch, show],
        frame_probabilities [batch, frame, show], embedding [batch, d], familiarity [batch] and, of a head
        that learned others, frame_familiarity [batch, frame], all float32.
    """
    network = tap_model(backbone, head.taps)
    clip = keras.Input((frames, *CLIP_SHAPE[1:]), dtype="uint8", name="clip")
    images = keras.ops.reshape(keras.ops.cast(clip, "float32"), (-1, *CLIP_SHAPE[1:]))
    values = network(images)
    values = values if isinstance(values, list) else [values]
    unfold = _Unfold(name="frames")
    taps = {
        tap: keras.ops.reshape(value, (-1, frames, value.shape[-1])) if frames else unfold([value, clip])
        for tap, value in zip(head.taps, values, strict=True)
    }
    answer = head.answer(taps, keras.ops)
    # An identity gives each output its name, in Keras and in what is exported.
    named = {
        name: keras.layers.Identity(name=name)(value)
        for name in OUTPUTS
        if (value := getattr(answer, name)) is not None
    }
    return keras.Model(clip, named)


@dataclass(frozen=True, eq=False)
class FittedModel:
    """All that training leaves behind: enough to build the model again, and to say what it is.

    Attributes:
        backbone: name of the image network.
        shows: titles, in the order of the outputs.
        head: fitted.
        unknown_threshold: a clip is unknown below this familiarity.
        verdict: thresholds of the levels of an answer; None where they could not be found.
        kinds: kind of picture by show; None where the manifest did not say.
        training_data_sha256: digest of what it learned from.
        weights: of the image network where they differ from ImageNet's, by variable path; empty if not.
        facts: what else is worth knowing, as JSON holds it: options, counts, measures.
    """

    backbone: str
    shows: tuple[str, ...]
    head: Head
    unknown_threshold: float
    verdict: VerdictRule | None
    kinds: Mapping[str, str] | None
    training_data_sha256: str
    weights: Mapping[str, NDArray[np.float32]]
    facts: Mapping[str, Any]

    def decide(self, probabilities: NDArray[Any], familiarity: float) -> Verdict:
        """The verdict that the exported model gives, of what it says of a clip: [show], and how familiar."""
        return decide(
            self.shows,
            np.asarray(probabilities, np.float32),
            float(familiarity),
            rule=self.verdict,
            unknown_threshold=self.unknown_threshold,
            kinds=self.kinds,
        )

    def tune(self, backbone: Backbone) -> Backbone:
        """Give the image network the weights that training left behind.

        Raises:
            InvalidRun: it is another network than the one that was trained.
        """
        variables = {variable.path: variable for variable in backbone.model.variables}
        for path, value in self.weights.items():
            if path not in variables or tuple(variables[path].shape) != value.shape:
                raise InvalidRun(backbone.name, f"{path} is not a weight of this network")
            variables[path].assign(value)
        return backbone

    def save(self, path: Path) -> None:
        """Write everything to one .npz file, whole or not at all."""
        arrays: dict[str, Any] = {f"weights:{name}": value for name, value in self.weights.items()}
        head = _pack_head(self.head, arrays)
        text = {
            "backbone": self.backbone,
            "shows": list(self.shows),
            "head": head,
            "unknown_threshold": self.unknown_threshold,
            "verdict": None if self.verdict is None else dataclasses.asdict(self.verdict),
            "kinds": None if self.kinds is None else dict(self.kinds),
            "training_data_sha256": self.training_data_sha256,
            "facts": dict(self.facts),
        }
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, text=np.array(json.dumps(text)), **arrays)

    @classmethod
    def load(cls, path: Path) -> FittedModel:
        """Read what `save` wrote.

        Raises:
            InvalidRun: the file is missing or something else.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            text = json.loads(str(arrays["text"]))
            return cls(
                backbone=text["backbone"],
                shows=tuple(text["shows"]),
                head=_unpack_head(text["head"], arrays),
                unknown_threshold=text["unknown_threshold"],
                verdict=None if text["verdict"] is None else VerdictRule(**text["verdict"]),
                kinds=text["kinds"],
                training_data_sha256=text["training_data_sha256"],
                weights={
                    name.removeprefix("weights:"): value
                    for name, value in arrays.items()
                    if name.startswith("weights:")
                },
                facts=text["facts"],
            )
        except FileNotFoundError as error:
            raise InvalidRun(str(path), "there is no fitted model") from error
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise InvalidRun(str(path), f"it is not a fitted model: {error}") from error


def _pack_head(head: Head, arrays: dict[str, Any]) -> dict[str, Any]:
    """Put the head's arrays into `arrays` and return the rest as JSON holds it."""
    parts = []
    for number, part in enumerate(head.parts):
        for name in ("shift", "scale"):
            if (value := getattr(part, name)) is not None:
                arrays[f"part{number}:{name}"] = value
        parts.append({"tap": str(part.tap), "unit": part.unit, "weight": part.weight})
    arrays["linear:matrix"], arrays["linear:bias"] = head.linear.matrix, head.linear.bias
    return {"parts": parts, "others": head.others, "temperature": head.temperature}


def _unpack_head(text: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Head:
    parts = tuple(
        Part(
            Tap.parse(part["tap"]),
            unit=part["unit"],
            weight=part["weight"],
            **{name: arrays.get(f"part{number}:{name}") for name in ("shift", "scale")},
        )
        for number, part in enumerate(text["parts"])
    )
    linear = Linear(arrays["linear:matrix"], arrays["linear:bias"])
    return Head(parts, linear, others=text["others"], temperature=text["temperature"])
