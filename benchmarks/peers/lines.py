"""Whole lines from **a GIF file** to **the most probable show**: decoders and runtimes put together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers import decoders, runtimes
from benchmarks.worker import Subject


def this_project(model: str, fast: bool = False) -> Subject:
    """gateway.pipeline, with the votes of the frames that it gives beside the show."""
    from gateway.pipeline import local  # noqa: PLC0415 - as all libraries here
    from services.preprocess.backend import compiled, portable  # noqa: PLC0415

    pipeline = local(model, backend=compiled if fast else portable)
    return Subject(
        f"model {pipeline.describe().model.version}",
        lambda path: pipeline.identify(Path(path).read_bytes()).shows[0].show,
        check=_check,
    )


def opencv(model: str) -> Subject:
    """VideoCapture, then a bare session of ONNX Runtime."""
    return _joined(decoders.opencv(), runtimes.onnxruntime(model))


def pyav(model: str) -> Subject:
    """PyAV, then OpenVINO."""
    return _joined(decoders.pyav(), runtimes.openvino(model))


def pillow(model: str) -> Subject:
    """Pillow as tutorials use it, then Keras's predict."""
    return _joined(decoders.pillow(), runtimes.keras(model))


def _joined(decoder: Subject, runtime: Subject) -> Subject:
    decode: Callable[[str], Any] = decoder.run
    classify: Callable[[Any], Any] = runtime.run
    return Subject(
        f"{decoder.version}, {runtime.version}",
        lambda path: int(classify(decode(path)[None]).argmax()),
        check=_check,
    )


def _check(show: object) -> None:
    """Other frames may give another show: that there is one is all that is held to."""
    if not isinstance(show, int | str):
        raise ValueError(f"not a show: {show}")
