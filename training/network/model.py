"""The whole model, image network and head, in Keras and ONNX, and the file that a fit writes.

A clip has ten frames; the model takes any number from one on, so that some may be computed before others.
Frames and clips are folded into one axis for the image network and unfolded after it: Keras 3.15 gives wrong
numbers for a layer that is `TimeDistributed` over an axis of unknown length.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from services.clip import CLIP_SHAPE
from services.files import replacing
from services.inference import Verdict, VerdictRule
from services.inference.prediction import decide
from training.errors import ExportFailed, InvalidRun
from training.network.backbone import Backbone
from training.network.head import Head, Linear, Part, Tap
from training.quiet import only_errors

# The last one only with a head that learned from other things.
OUTPUTS = ("probabilities", "frame_probabilities", "embedding", "familiarity", "frame_familiarity")
OPSET = 17  # of ONNX
_VARIANCE_FLOOR = 1e-5  # keeps the slope of the square root finite where a picture is flat


def tap_tensor(feature_map: Any, tap: Tap) -> Any:
    """The values of a tap, [N, n], of a feature map [N, height, width, channel]."""
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
    return keras.Model(backbone.model.input, [tap_tensor(backbone.output(tap.block), tap) for tap in taps])


class _Unfold(keras.layers.Layer):  # type: ignore[misc]  # of a library without types
    """Reshapes values [batch * frame, n] to [batch, frame, n].

    It is a layer because the number of frames is known only when the model runs.
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
        frames: of every clip, for a model of Keras's own layers only; None takes any number.

    Returns:
        Model of `clip` uint8 [batch, frame, 224, 224, 3] to a dict of `OUTPUTS`: probabilities [batch, show],
        frame_probabilities [batch, frame, show], embedding [batch, d], familiarity [batch] and, with a head
        that learned from other things, frame_familiarity [batch, frame], all float32.
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


def to_onnx(model: keras.Model) -> onnx.ModelProto:
    """Convert a Keras model of one input to ONNX, with any batch size and number of frames.

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
            gc.collect()  # the traced graph holds references to itself: a gigabyte
    return proto


@dataclass(frozen=True, eq=False)
class FittedModel:
    """The result of a fit: enough to build the model again, and to describe it.

    Attributes:
        backbone: name of the image network.
        shows: titles, in the order of the outputs.
        head: fitted.
        unknown_threshold: a clip is unknown below this familiarity.
        verdict: thresholds of the levels of an answer; None if it learned from no other things.
        kinds: kind of picture by show; None if the manifest has none.
        training_data_sha256: digest of the clips that it learned from.
        facts: options, counts and measures, in JSON's own types.
        teaching: what teaching new shows needs, see `TeachingBase.pack`; "" for a head that cannot be taught.
    """

    backbone: str
    shows: tuple[str, ...]
    head: Head
    unknown_threshold: float
    verdict: VerdictRule | None
    kinds: Mapping[str, str] | None
    training_data_sha256: str
    facts: Mapping[str, Any]
    teaching: str = ""

    def decide(self, probabilities: NDArray[Any], familiarity: float) -> Verdict:
        """The verdict of the exported model on a clip of these probabilities, [show], and familiarity."""
        return decide(
            self.shows,
            np.asarray(probabilities, np.float32),
            float(familiarity),
            rule=self.verdict,
            unknown_threshold=self.unknown_threshold,
            kinds=self.kinds,
        )

    def save(self, path: Path) -> None:
        """Write everything to one .npz file, whole or not at all."""
        arrays: dict[str, Any] = {}
        text = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        text["head"] = _pack_head(self.head, arrays)
        text["verdict"] = self.verdict and dataclasses.asdict(self.verdict)
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
            if any(name.startswith("weights:") for name in arrays):
                raise ValueError("its image network was fine-tuned, which is no longer supported")
            text = json.loads(str(arrays["text"]))
            text["shows"] = tuple(text["shows"])
            text["head"] = _unpack_head(text["head"], arrays)
            text["verdict"] = text["verdict"] and VerdictRule(**text["verdict"])
            return cls(**text)
        except FileNotFoundError as error:
            raise InvalidRun(str(path), "there is no fitted model") from error
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise InvalidRun(str(path), f"it is not a fitted model: {error}") from error


def _pack_head(head: Head, arrays: dict[str, Any]) -> dict[str, Any]:
    """Put the head's arrays into `arrays` and return the rest in JSON's own types."""
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
