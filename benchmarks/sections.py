"""The four questions: **settings** -> for each section, **who takes part and what everyone does**."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import onnx

from benchmarks import gifs, models
from benchmarks.crew import Contender
from benchmarks.environments import ROOT, read_list
from benchmarks.results import THIS, Item
from services.inference import default_model_path
from services.preprocess import decode_gif
from training.files import replacing

WORK = ROOT / "runs/bench"
NAMES = ("decode", "classify", "serve", "line")
_DRAWN = "fp32, the same layers with drawn weights"
_FAST = "loops compiled by the extra `fast`"


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        rounds: of each section, at least 1.
        quick: few items; a try, not a figure.
        model: ONNX file of this project.
        other_model: the same model in the other precision; None leaves that row absent.
        shared: where footage is.
        work: folder for what is made on the way.
        peers: False measures this project alone.
    """

    rounds: int = 5
    quick: bool = False
    model: Path = field(default_factory=default_model_path)
    other_model: Path | None = None
    shared: Path = field(default_factory=gifs.shared_folder)
    work: Path = WORK
    peers: bool = True


@dataclass(frozen=True)
class Question:
    """One section before it is measured.

    Attributes:
        name: of the section.
        contenders: this project first.
        items: what each of them does.
        times: that an item is done for one measurement.
    """

    name: str
    contenders: tuple[Contender, ...]
    items: tuple[Item, ...]
    times: int

    def key(self, plan: Plan) -> str:
        """Digest of the question; another one when anything asked is different."""
        asked = [
            [asdict(contender) for contender in self.contenders],
            [asdict(item) for item in self.items],
            self.times,
            plan.rounds,
            *(
                path and hashlib.sha256(path.read_bytes()).hexdigest()
                for path in (plan.model, plan.other_model)
            ),
            dict(read_list()),
        ]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def decode(plan: Plan) -> Question:
    """GIF -> clip, of real GIFs and of two series of drawings."""
    module = "benchmarks.peers.decoders"
    contenders = (
        Contender(
            THIS, f"{module}:this_project", note="by time, letterbox bars cropped, as a browser shows it"
        ),
        Contender(f"{THIS}, fast", f"{module}:compiled", note=f"{_FAST}: the same pixels"),
        Contender("Pillow, seek and pad", f"{module}:pillow"),
        Contender("PyAV", f"{module}:pyav"),
        Contender("OpenCV VideoCapture", f"{module}:opencv", environment="opencv"),
        Contender("imageio", f"{module}:imageio", environment="imageio"),
        Contender("tf.io.decode_gif", f"{module}:tensorflow", note="decodes every frame"),
        Contender("pyvips", f"{module}:pyvips", environment="pyvips"),
    )
    real = gifs.real_items(3 if plan.quick else 24, plan.shared)
    return Question(
        "decode", contenders, (*real, *gifs.series_items(plan.work / "gifs", quick=plan.quick)), 1
    )


def classify(plan: Plan) -> Question:
    """Clip -> probabilities, of clips that this project made."""
    module = "benchmarks.peers.runtimes"
    model = str(plan.model)
    ours, other = _precision(plan.model), _other(plan)
    contenders = (
        Contender(THIS, f"{module}:this_project", {"model": model}, note=f"ONNX Runtime, {ours}, checked"),
        Contender(f"ONNX Runtime {ours}", f"{module}:onnxruntime", {"model": model}),
        Contender(
            f"ONNX Runtime {other.precision}",
            f"{module}:onnxruntime",
            {"model": other.path, "compared": False},
            missing=other.missing,
        ),
        Contender("OpenVINO", f"{module}:openvino", {"model": model}, environment="openvino", note=ours),
        *_keras_contenders(plan),
    )
    clips = [
        _clip_item(plan.work / "clips", item) for item in gifs.real_items(1 if plan.quick else 4, plan.shared)
    ]
    return Question("classify", contenders, tuple(clips), 1 if plan.quick else 3)


def line(plan: Plan) -> Question:
    """GIF file -> show."""
    module = "benchmarks.peers.lines"
    model = str(plan.model)
    ours, other = _precision(plan.model), _other(plan)
    built = _built_models(plan) if plan.peers else {}
    contenders = (
        Contender(THIS, f"{module}:this_project", {"model": model}, note=ours),
        Contender(
            f"{THIS}, fast",
            f"{module}:this_project",
            {"model": model, "fast": True},
            note=f"{ours}, {_FAST}",
        ),
        Contender(
            f"{THIS}, {other.precision} model",
            f"{module}:this_project",
            {"model": other.path},
            missing=other.missing,
        ),
        Contender(
            "OpenCV + ONNX Runtime", f"{module}:opencv", {"model": model}, environment="opencv", note=ours
        ),
        Contender("PyAV + OpenVINO", f"{module}:pyav", {"model": model}, environment="openvino", note=ours),
        Contender(
            "Pillow + Keras predict", f"{module}:pillow", {"model": str(built.get("keras", ""))}, note=_DRAWN
        ),
    )
    return Question("line", contenders, gifs.real_items(2 if plan.quick else 9, plan.shared), 1)


def serve(plan: Plan) -> Question:
    """GIF over loopback -> show, by one client at a time and by eight; the same steps behind every server."""
    module = "benchmarks.peers.servers"
    sent = [item.name for item in gifs.real_items(2 if plan.quick else 4, plan.shared)]
    options = {"model": str(plan.model), "gifs": sent, "work": str(plan.work / "serve")}
    peers = (
        Contender(label, f"{module}:{name}", {**options, **environment})
        for label, name, environment in (
            ("mlflow models serve", "mlflow", {}),
            ("MLServer", "mlserver", {"environment": "mlserver"}),
            ("BentoML", "bentoml", {"environment": "bentoml"}),
            ("LitServe", "litserve", {"environment": "litserve"}),
        )
    )
    contenders = (
        Contender(f"{THIS}, REST", f"{module}:rest", options, note="keeps no answers here"),
        Contender(
            f"{THIS}, gRPC pair", f"{module}:grpc_pair", options, note="two calls, the clip there and back"
        ),
        *peers,
    )
    items = tuple(
        Item(str(clients), f"{clients} at a time", {"clients": clients}, f"{clients} at a time")
        for clients in (1, 8)
    )
    return Question("serve", contenders, items, 1)


QUESTIONS: Mapping[str, Callable[[Plan], Question]] = {
    "decode": decode,
    "classify": classify,
    "serve": serve,
    "line": line,
}


def ask(name: str, plan: Plan) -> Question:
    """The question of a section; this project alone where no peers are wanted."""
    question = QUESTIONS[name](plan)
    if plan.peers:
        return question
    ours = tuple(contender for contender in question.contenders if contender.name.startswith(THIS))
    return Question(question.name, ours, question.items, question.times)


def _keras_contenders(plan: Plan) -> tuple[Contender, ...]:
    if not plan.peers:
        return ()
    module, built = "benchmarks.peers.runtimes", _built_models(plan)
    return (
        Contender("Keras predict", f"{module}:keras", {"model": str(built["keras"])}, note=_DRAWN),
        Contender(
            "TensorFlow SavedModel", f"{module}:savedmodel", {"folder": str(built["savedmodel"])}, note=_DRAWN
        ),
        Contender(
            "LiteRT", f"{module}:litert", {"model": str(built["litert"])}, environment="litert", note=_DRAWN
        ),
    )


def _built_models(plan: Plan) -> Mapping[str, Path]:
    folder = plan.work / "models" / "v1"
    if not folder.is_dir():
        models.build_apart(folder)
    return models.paths(folder)


def _clip_item(folder: Path, item: Item) -> Item:
    gif = Path(item.name).read_bytes()
    path = folder / f"{hashlib.sha256(gif).hexdigest()[:16]}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        np.save(partial, decode_gif(gif).frames[None])
    return Item(str(path), "clips", {}, f"clip of {item.shown}")


@dataclass(frozen=True)
class _Other:
    """The file that is measured beside the model: how it is called, where it is, why it is not there."""

    precision: str
    path: str
    missing: str = ""


def _other(plan: Plan) -> _Other:
    ours = _precision(plan.model)
    if plan.other_model is None:
        other = "fp32" if ours == "int8" else "int8"
        return _Other(
            other, "", f"no {other} file was given: gif-train export makes one, --other-model names it"
        )
    other = _precision(plan.other_model)
    return _Other(f"other {other}" if other == ours else other, str(plan.other_model.resolve()))


def _precision(model: Path) -> str:
    """What a file computes in, by what stands in it."""
    graph = onnx.load(model, load_external_data=False).graph
    return "int8" if any(node.op_type == "DequantizeLinear" for node in graph.node) else "fp32"
