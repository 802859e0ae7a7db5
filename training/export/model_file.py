"""Exports a fitted model as the ONNX file that services.inference loads.

The file is written only if services.inference gives the same answers as Keras on real clips. Weights may be
stored as float16 and widened when the file is loaded: that halves the file and costs nothing at inference.
They are rounded in Keras first, so that both compute with the same numbers. Or convolutions compute in int8,
see `training.export.int8`: about twice as fast, with answers that differ a little, so that the file must name
the same show for almost every clip.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from services.clip import CLIP_SHAPE
from services.errors import ModelError
from services.files import replacing
from services.inference import CONTRACT, Classifier, EarlyExit, Verdict
from services.inference.metadata import write_early_exit, write_verdict
from services.inference.scoring import score
from training.errors import ExportFailed
from training.export.int8 import RANGED, fit_head, put_head, quantize
from training.network.backbone import Backbone, fold_batch_norm
from training.network.head import Head, Linear
from training.network.model import OUTPUTS, FittedModel, clip_model, to_onnx
from training.statistics.comparison import AGREEMENT

TOLERANCE = 1e-5  # relative error allowed between Keras and ONNX Runtime
NAME = "gif-shows"
_HALVED_FROM = 256  # values; a smaller array saves nothing
_BATCH = 2  # clips: Keras takes 0.4 GB for each

Precision = Literal["float32", "float16", "int8"]


@dataclass(frozen=True)
class Exported:
    """The file that was written.

    Attributes:
        path: of the file.
        size_bytes: of the file.
        worst_error: the largest relative error of any output of services.inference against Keras.
        agreement: share of the clips with the same verdict and the same show first, 0..1.
        clips: number of clips compared.
    """

    path: Path
    size_bytes: int
    worst_error: float
    agreement: float
    clips: int


def export(
    fitted: FittedModel,
    backbone: Backbone,
    path: Path,
    *,
    clips: NDArray[np.uint8],
    version: str,
    licence: str,
    precision: Precision = "float16",
    calibration: Iterable[NDArray[np.uint8]] = (),
    early_exit: EarlyExit | None = None,
) -> Exported:
    """Write a fitted model as the file that services.inference loads.

    Args:
        fitted: the result of a fit.
        backbone: its image network.
        path: of the file, replaced only if the answers agree.
        clips: real ones to compare on, uint8 [clip, 10, 224, 224, 3], at least one.
        version: of the model, for its metadata.
        licence: of weights and data, free text, for its metadata.
        precision: float32 and float16 store the weights so and compute in float32; int8 computes convolutions
            in integers, and stores the head as float16.
        calibration: for int8, clips that it learned from, uint8 [10, 224, 224, 3] each; none of `clips`.
        early_exit: the rule for the file, found on models of the same options.

    Raises:
        ExportFailed: services.inference refuses the file or gives other answers than Keras: float by more
            than `TOLERANCE`, int8 for more than 1 - `AGREEMENT` of the clips; or a clip whose frames are
            computed in two parts, as by the rule, gets another answer.
    """
    if clips.shape[1:] != CLIP_SHAPE or not len(clips):
        raise ExportFailed(f"it needs clips of shape {CLIP_SHAPE} to compare on, not {clips.shape}")
    model, proto = convert(fitted, backbone, precision=precision, calibration=calibration)
    helper.set_model_props(proto, metadata(fitted, version, licence, early_exit))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(proto.SerializeToString())
        errors, agreement = _compare(model, partial, clips, fitted)
        worst = max(errors, key=lambda name: errors[name])
        if precision == "int8":
            _check_agreement(agreement, len(clips))
        else:
            _check_error(worst, errors[worst])
        if early_exit is not None:
            _check_parts(Classifier(partial), clips, early_exit)
        size = partial.stat().st_size
    return Exported(path, size, errors[worst], agreement, len(clips))


def convert(
    fitted: FittedModel,
    backbone: Backbone,
    *,
    precision: Precision = "float16",
    calibration: Iterable[NDArray[np.uint8]] = (),
) -> tuple[keras.Model, onnx.ModelProto]:
    """Build a fitted model in Keras and as ONNX, without metadata; see `export`."""
    network, head = fold_batch_norm(backbone), fitted.head
    if precision == "float16":
        for variable in network.model.weights:
            variable.assign(_rounded(np.asarray(variable)))
    if precision != "float32":
        head = _rounded_head(head)
    model = clip_model(network, head)
    proto = to_onnx(model)
    _name_tensors(proto, model)
    if precision == "int8":
        clips = list(calibration)
        quantized = quantize(proto, clips[:: max(len(clips) // RANGED, 1)])
        linear = fit_head(proto, quantized, head.linear, clips)
        put_head(quantized, head.linear, Linear(_rounded(linear.matrix), linear.bias))
        proto = quantized
    if precision != "float32":
        _store_as_float16(proto)
    return model, proto


def metadata(
    fitted: FittedModel, version: str, licence: str, early_exit: EarlyExit | None = None
) -> dict[str, str]:
    """The metadata that `services.inference` reads beside the graph."""
    optional = {
        "early_exit": early_exit and write_early_exit(early_exit),
        "verdict": fitted.verdict and write_verdict(fitted.verdict),
        "teaching": fitted.teaching,
        "kinds": fitted.kinds and json.dumps(dict(fitted.kinds), ensure_ascii=False),
    }
    return {
        **{key: value for key, value in optional.items() if value},
        "contract": CONTRACT,
        "name": NAME,
        "version": version,
        "shows": json.dumps(list(fitted.shows), ensure_ascii=False),
        "clip_shape": json.dumps(list(CLIP_SHAPE)),
        "unknown_threshold": repr(float(fitted.unknown_threshold)),
        "training_data_sha256": fitted.training_data_sha256,
        "licence": licence,
    }


def _rounded(values: NDArray[Any]) -> NDArray[np.float32]:
    """Round to float16, unless the array is small or has values too large for it."""
    half = values.astype(np.float16).astype(np.float32)
    return half if values.size >= _HALVED_FROM and np.isfinite(half).all() else values.astype(np.float32)


def _rounded_head(head: Head) -> Head:
    def rounded(part: Any, *names: str) -> Any:
        arrays = {name: _rounded(value) for name in names if (value := getattr(part, name)) is not None}
        return dataclasses.replace(part, **arrays)

    parts = tuple(rounded(part, "shift", "scale") for part in head.parts)
    return dataclasses.replace(head, parts=parts, linear=rounded(head.linear, "matrix", "bias"))


def _name_tensors(proto: onnx.ModelProto, model: keras.Model) -> None:
    """Give input and outputs their shapes, with named dimensions for batch and frame."""
    for value in (*proto.graph.input, *proto.graph.output):
        tensor = model.inputs[0] if value.name == model.inputs[0].name else model.output.get(value.name)
        if tensor is None:
            raise ExportFailed(f"an output is named {value.name}, not one of {', '.join(OUTPUTS)}")
        dims = value.type.tensor_type.shape.dim
        del dims[:]
        dims.add().dim_param = "batch"
        for size in tensor.shape[1:]:
            if size is None:
                dims.add().dim_param = "frame"
            else:
                dims.add().dim_value = size


def _store_as_float16(proto: onnx.ModelProto) -> None:
    """Store every large initialiser that float16 holds exactly as float16, followed by a cast to float32."""
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        half = values.astype(np.float16)
        if values.size < _HALVED_FROM or not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}/float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], f"{name}/widen", to=TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]  # before their readers: nodes are in the order of use
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def _compare(
    model: keras.Model, path: Path, clips: NDArray[np.uint8], fitted: FittedModel
) -> tuple[dict[str, float], float]:
    """Compare the answers of the file with those of Keras.

    Returns:
        For each output the largest difference, relative to its largest value; and the share of clips for
        which both give the same verdict and rank the same show first.
    """
    try:
        classifier = Classifier(path)
        parts = [classifier.run(clips[start : start + _BATCH]) for start in range(0, len(clips), _BATCH)]
    except ModelError as error:
        raise ExportFailed(error.details["why"]) from error
    expected = model.predict(clips, batch_size=_BATCH, verbose=0)
    found = {name: np.concatenate([getattr(part, name) for part in parts]) for name in expected}
    errors = {
        name: float(np.abs(ours - found[name]).max() / max(float(np.abs(ours).max()), 1e-12))
        for name, ours in ((name, np.asarray(value)) for name, value in expected.items())
    }
    same = [
        theirs == ours
        for theirs, ours in zip(_answers(expected, fitted), _answers(found, fitted), strict=True)
    ]
    return errors, float(np.mean(same))


def _answers(outputs: Mapping[str, Any], fitted: FittedModel) -> list[tuple[Verdict, int]]:
    """The verdict on each clip, and the show that is ranked first."""
    return [
        (fitted.decide(probabilities, familiarity), int(probabilities.argmax()))
        for probabilities, familiarity in zip(
            np.asarray(outputs["probabilities"]), np.asarray(outputs["familiarity"]), strict=True
        )
    ]


def _check_error(name: str, error: float) -> None:
    if not error <= TOLERANCE:
        raise ExportFailed(
            f"{name} differs by {error:.1e} of its largest value, {TOLERANCE:.0e} is allowed",
            output=name,
            error=repr(error),
        )


def _check_parts(classifier: Classifier, clips: NDArray[np.uint8], rule: EarlyExit) -> None:
    """Check that computing the frames of a clip in two parts gives the answer of all at once."""
    for clip in clips:
        parts, whole = (
            score(classifier.run, clip, dataclasses.replace(rule, threshold=1.0)),
            classifier.run(clip[None]),
        )
        error = float(np.abs(parts.probabilities - whole.probabilities[0]).max())
        if len(parts.frames) == len(clip):
            _check_error("probabilities in two parts", error)


def _check_agreement(agreement: float, clips: int) -> None:
    if not agreement >= AGREEMENT:
        raise ExportFailed(
            f"int8 answers as float32 does for {agreement:.1%} of {clips} clips, "
            f"at least {AGREEMENT:.0%} is required",
            agreement=repr(agreement),
        )
