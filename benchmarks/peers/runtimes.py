"""Other ways from **a clip** to **probabilities**, with the packaged model or its Keras form.

A model file in ONNX is run as it is. Keras, SavedModel and LiteRT need the Keras form, which is built by
`benchmarks.models` with the same layers and drawn weights: how fast it is does not depend on them, but what
it answers does, so that those answers are not compared.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.worker import Subject

Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def this_project(model: str) -> Subject:
    """services.inference.Classifier, with all that it checks."""
    from services.clip import CLIP_FRAMES, Clip  # noqa: PLC0415 - as all libraries here
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
    """OpenVINO reading the ONNX file itself: what is not in whole numbers there, in float32."""
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


def savedmodel(folder: str) -> Subject:
    """The serving signature of a TensorFlow SavedModel."""
    tf = _tensorflow()
    loaded = tf.saved_model.load(folder)
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
    version = importlib.import_module("importlib.metadata").version("ai-edge-litert")
    return _subject(
        f"LiteRT {version}", lambda frames: run(**{name: frames})["probabilities"], compared=False
    )


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
