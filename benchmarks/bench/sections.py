"""The four sections of `make bench`: who takes part in each, and what everyone does."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import onnx

from benchmarks import ROOT
from benchmarks.bench import models
from benchmarks.bench.contenders import Contender
from benchmarks.bench.environments import read_list
from benchmarks.bench.results import BY_FRAMES, BY_SIZE, REAL, THIS, Item
from benchmarks.harness.gifs import draw, real_gifs
from services.files import replacing
from services.inference import default_model_path
from services.preprocess import Budget, decode_gif
from services.preprocess.formats import read

WORK = ROOT / "runs/bench"
NAMES = ("decode", "classify", "serve", "line")
FRAMES = (10, 25, 50, 100, 200)  # of drawn GIFs of 320 x 240 pixels
WIDTHS = (120, 240, 480, 960)  # pixels, of drawn GIFs of 30 frames, 4:3
_DRAWN = "fp32, the same layers with random weights"
_FAST = "loops compiled by the extra `fast`"


@dataclass(frozen=True)
class Plan:
    """Options of a measurement: how often, how many items, and which models."""

    rounds: int = 5  # of each section, at least 1
    quick: bool = False  # measure few items, for a try
    model: Path = field(default_factory=default_model_path)  # ONNX file of this project
    other_model: Path | None = None  # the same model in the other precision; measured too if it is given
    work: Path = WORK  # folder for intermediate files
    peers: bool = True  # False measures this project alone


@dataclass(frozen=True)
class Question:
    """One section before it is measured."""

    name: str  # of the section
    contenders: tuple[Contender, ...]  # this project first
    items: tuple[Item, ...]  # what each of them does
    times: int = 1  # how often an item is done for one measurement

    def key(self, plan: Plan) -> str:
        """Return a digest that changes with everything the times depend on."""
        files = (plan.model, plan.other_model)
        asked = [
            [asdict(contender) for contender in self.contenders],
            [asdict(item) for item in self.items],
            self.times,
            plan.rounds,
            *(path and hashlib.sha256(path.read_bytes()).hexdigest() for path in files),
            dict(read_list()),
        ]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def decode(plan: Plan) -> Question:
    """GIF to clip, of real GIFs and of two series of drawn ones."""
    make = functools.partial(_contender, "decoders")
    contenders = (
        make(THIS, "this_project", note="by time, letterbox bars cropped, as a browser shows it"),
        make(f"{THIS}, fast", "compiled", note=f"{_FAST}: the same pixels"),
        make("Pillow, seek and pad", "pillow"),
        make("PyAV", "pyav"),
        make("OpenCV VideoCapture", "opencv", environment="opencv"),
        make("imageio", "imageio", environment="imageio"),
        make("tf.io.decode_gif", "tensorflow", note="decodes every frame"),
        make("pyvips", "pyvips", environment="pyvips"),
    )
    lengths, widths = (FRAMES[:2], WIDTHS[:2]) if plan.quick else (FRAMES, WIDTHS)
    folder = plan.work / "gifs"
    items = (
        *(_gif_item(path, REAL, label) for label, path in real_gifs(3 if plan.quick else 24).items()),
        *(_drawn_item(folder, 320, frames, BY_FRAMES) for frames in lengths),
        *(_drawn_item(folder, width, 30, BY_SIZE) for width in widths),
    )
    return Question("decode", contenders, items)


def classify(plan: Plan) -> Question:
    """Clip to probabilities, of clips that this project made."""
    make = functools.partial(_contender, "runtimes")
    model, ours = {"model": str(plan.model)}, _precision(plan.model)
    contenders = [
        make(THIS, "this_project", model, note=f"ONNX Runtime, {ours}, checked"),
        make(f"ONNX Runtime {ours}", "onnxruntime", model),
        make("OpenVINO", "openvino", model, environment="openvino", note=ours),
    ]
    if plan.other_model is not None:
        bare = {"model": str(plan.other_model), "compared": False}
        contenders.insert(2, make(f"ONNX Runtime {_other(plan)}", "onnxruntime", bare))
    if plan.peers:
        keras, saved, litert = ({"model": str(path)} for path in _built_models(plan))
        contenders += [
            make("Keras predict", "keras", keras, note=_DRAWN),
            make("TensorFlow SavedModel", "savedmodel", saved, note=_DRAWN),
            make("LiteRT", "litert", litert, environment="litert", note=_DRAWN),
        ]
    clips = real_gifs(1 if plan.quick else 4).items()
    items = tuple(_clip_item(plan.work / "clips", path, label) for label, path in clips)
    return Question("classify", tuple(contenders), items, 1 if plan.quick else 3)


def line(plan: Plan) -> Question:
    """Plan the section `line`: each contender takes the path of a GIF file and returns its show."""
    make = functools.partial(_contender, "runtimes")
    model, ours = {"model": str(plan.model)}, _precision(plan.model)
    keras = {"model": str(_built_models(plan)[0]) if plan.peers else ""}
    contenders = [
        make(THIS, "pipeline", model, note=ours),
        make(f"{THIS}, fast", "pipeline", {**model, "fast": True}, note=f"{ours}, {_FAST}"),
        make("OpenCV + ONNX Runtime", "opencv_onnxruntime", model, environment="opencv", note=ours),
        make("PyAV + OpenVINO", "pyav_openvino", model, environment="openvino", note=ours),
        make("Pillow + Keras predict", "pillow_keras", keras, note=_DRAWN),
    ]
    if plan.other_model is not None:
        other = {"model": str(plan.other_model)}
        contenders.insert(2, make(f"{THIS}, {_other(plan)} model", "pipeline", other))
    gifs = real_gifs(2 if plan.quick else 9).items()
    return Question(
        "line", tuple(contenders), tuple(Item(str(path), REAL, shown=label) for label, path in gifs)
    )


def serve(plan: Plan) -> Question:
    """GIF over loopback to show, by one client and by eight; the same steps behind every server."""
    sent = [str(path) for path in real_gifs(2 if plan.quick else 4).values()]
    options = {"model": str(plan.model), "gifs": sent, "work": str(plan.work / "serve")}

    def make(name: str, subject: str, note: str = "", **environment: str) -> Contender:
        return _contender("servers", name, subject, {**options, **environment}, note=note)

    contenders = (
        make(f"{THIS}, REST", "rest", "keeps no answers here"),
        make(f"{THIS}, gRPC pair", "grpc_pair", "two calls, the clip there and back"),
        make("mlflow models serve", "mlflow"),
        make("MLServer", "mlserver", environment="mlserver"),
        make("BentoML", "bentoml", environment="bentoml"),
        make("LitServe", "litserve", environment="litserve"),
    )
    items = tuple(
        Item(str(clients), f"{clients} at a time", {"clients": clients}, f"{clients} at a time")
        for clients in (1, 8)
    )
    return Question("serve", contenders, items)


QUESTIONS: Mapping[str, Callable[[Plan], Question]] = {
    "decode": decode,
    "classify": classify,
    "serve": serve,
    "line": line,
}


def question(name: str, plan: Plan) -> Question:
    """Return the question of a section; with this project alone if the plan has no peers."""
    whole = QUESTIONS[name](plan)
    ours = tuple(contender for contender in whole.contenders if contender.name.startswith(THIS))
    return whole if plan.peers else Question(whole.name, ours, whole.items, whole.times)


def _contender(
    module: str,
    name: str,
    function: str,
    options: Mapping[str, object] = {},
    *,
    environment: str | None = None,
    note: str = "",
) -> Contender:
    return Contender(name, f"benchmarks.bench.{module}:{function}", options, environment, note)


def _built_models(plan: Plan) -> tuple[Path, Path, Path]:
    """The model as Keras file, SavedModel and LiteRT file; built first if need be."""
    folder = plan.work / "models" / "v1"
    if not folder.is_dir():
        models.build_in_subprocess(folder)
    return (folder / models.KERAS, folder / models.SAVED_MODEL, folder / models.LITERT)


def _drawn_item(folder: Path, width: int, frames: int, group: str) -> Item:
    path = folder / f"drawn-{width}x{width * 3 // 4}-{frames}.gif"
    if not path.is_file():
        draw(path, width=width, frames=frames)
    return _gif_item(path, group, path.name)


def _gif_item(path: Path, group: str, label: str) -> Item:
    gif = path.read_bytes()
    container = read(gif, Budget())
    size = {"width": container.width, "height": container.height}
    return Item(str(path), group, {**size, "frames": len(container.frames), "bytes": len(gif)}, label)


def _clip_item(folder: Path, gif_path: Path, label: str) -> Item:
    gif = gif_path.read_bytes()
    path = folder / f"{hashlib.sha256(gif).hexdigest()[:16]}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        np.save(partial, decode_gif(gif).frames[None])
    return Item(str(path), "clips", {}, f"clip of {label}")


def _other(plan: Plan) -> str:
    """The precision of the other model, for the name of its row."""
    assert plan.other_model is not None
    other = _precision(plan.other_model)
    return f"other {other}" if other == _precision(plan.model) else other


def _precision(model: Path) -> str:
    """The precision in which a model file computes, by its nodes."""
    graph = onnx.load(model, load_external_data=False).graph
    return "int8" if any(node.op_type == "DequantizeLinear" for node in graph.node) else "fp32"
