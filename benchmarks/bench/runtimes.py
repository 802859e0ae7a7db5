"""Runtimes to measure: each computes probabilities from a clip, or with a decoder the show of a GIF file.

ONNX Runtime and OpenVINO run the packaged model file. Keras, TensorFlow and LiteRT run what `models.py`
builds: the same layers with random weights. Their speed does not depend on the weights, but their answers do,
and so these are not compared. Libraries are imported inside the functions: each is installed in an
environment of its own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import decoders
from benchmarks.bench.worker import Subject

Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def this_project(model: str) -> Subject:
    """services.inference.Classifier, with all its checks."""
    from services.clip import CLIP_FRAMES, Clip  # noqa: PLC0415
    from services.inference import Classifier  # noqa: PLC0415

    classifier = Classifier(model)
    times = tuple(range(CLIP_FRAMES))
    order = {show: index for index, show in enumerate(classifier.shows)}

    def classify(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        ranked = classifier.classify(Clip(frames[0], times), len(order)).shows
        probabilities = np.zeros((1, len(order)), np.float32)
        for show in ranked:
            probabilities[0, order[show.show]] = show.probability
        return probabilities

    return _subject(_onnxruntime_version(), classify, compared=True)


def onnxruntime(model: str, compared: bool = True) -> Subject:
    """A bare session of ONNX Runtime."""
    ort: Any = importlib.import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return _subject(
        _onnxruntime_version(),
        lambda frames: session.run(["probabilities"], {"clip": frames})[0],
        compared=compared,
    )


def openvino(model: str) -> Subject:
    """OpenVINO with the ONNX file: in float32 whatever the file does not compute in integers."""
    ov: Any = importlib.import_module("openvino")
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = ov.Core()
    network = core.read_model(model)
    network.reshape({"clip": [1, 10, 224, 224, 3]})
    compiled = core.compile_model(network, "CPU", settings)
    output = compiled.output("probabilities")
    version = f"OpenVINO {ov.__version__.split('-')[0]}"
    return _subject(version, lambda frames: compiled(frames)[output], compared=True)


def keras(model: str) -> Subject:
    """Keras's predict, one clip at a time."""
    tf = _tensorflow()
    loaded = tf.keras.models.load_model(model, compile=False)
    return _subject(
        f"Keras {tf.keras.__version__}, TensorFlow {tf.__version__}",
        lambda frames: loaded.predict(frames, verbose=0)["probabilities"],
        compared=False,
    )


def savedmodel(model: str) -> Subject:
    """The serving signature of a TensorFlow SavedModel."""
    tf = _tensorflow()
    loaded = tf.saved_model.load(model)
    return _subject(
        f"TensorFlow {tf.__version__}",
        lambda frames: loaded.serve(tf.constant(frames))["probabilities"].numpy(),
        compared=False,
    )


def litert(model: str) -> Subject:
    """LiteRT's interpreter with XNNPACK, one thread."""
    interpreters: Any = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = interpreters.Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    run = interpreter.get_signature_runner()
    [name] = run.get_input_details()
    version = f"LiteRT {importlib.metadata.version('ai-edge-litert')}"
    return _subject(version, lambda frames: run(**{name: frames})["probabilities"], compared=False)


def pipeline(model: str, fast: bool = False) -> Subject:
    """gateway.pipeline, which also gives the votes of the frames."""
    from gateway.pipeline import local  # noqa: PLC0415
    from services.preprocess.backend import compiled, portable  # noqa: PLC0415

    ours = local(model, backend=compiled if fast else portable)
    return Subject(
        f"model {ours.describe().model.version}",
        lambda path: ours.identify(Path(path).read_bytes()).shows[0].show,
        check=_check_show,
    )


def opencv_onnxruntime(model: str) -> Subject:
    """OpenCV's VideoCapture decodes the GIF, and a bare session of ONNX Runtime runs the model."""
    return _joined(decoders.opencv(), onnxruntime(model))


def pyav_openvino(model: str) -> Subject:
    """PyAV decodes the GIF, and OpenVINO runs the model."""
    return _joined(decoders.pyav(), openvino(model))


def pillow_keras(model: str) -> Subject:
    """Pillow decodes the GIF as tutorials do, and Keras's `predict` runs the model."""
    return _joined(decoders.pillow(), keras(model))


def _joined(decoder: Subject, runtime: Subject) -> Subject:
    def identify(path: str) -> int:
        return int(runtime.run(decoder.run(path)[None]).argmax())

    return Subject(f"{decoder.version}, {runtime.version}", identify, check=_check_show)


def _check_show(show: object) -> None:
    """Check that there is a show; another sample of frames may give another one."""
    if not isinstance(show, int | str):
        raise ValueError(f"not a show: {show}")


def _tensorflow() -> Any:
    tf: Any = importlib.import_module("tensorflow")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def _onnxruntime_version() -> str:
    return f"ONNX Runtime {importlib.import_module('onnxruntime').__version__}"


def _subject(version: str, classify: Classify, *, compared: bool) -> Subject:
    def check(probabilities: NDArray[np.float32]) -> int | None:
        if abs(float(probabilities.sum()) - 1) > 1e-3:
            raise ValueError(f"its probabilities sum to {probabilities.sum()}")
        return int(probabilities.argmax()) if compared else None

    return Subject(version, classify, load=np.load, check=check)
