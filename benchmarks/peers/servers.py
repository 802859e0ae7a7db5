"""Servers on this machine, and the client that asks them: **a GIF** -> HTTP or gRPC -> **its show**.

Behind each one stand the same two steps with the same model, so that what differs is the server. It keeps to
the first processor of the machine and the client to the last. Each is asked as its users ask it.
"""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT, interpreter
from benchmarks.peers.load import HttpService, Program, send_all
from benchmarks.ports import free_ports
from benchmarks.worker import Subject

REQUESTS = 16  # of one measurement
_APPS = "benchmarks.peers.apps"
_JSON = {"Content-Type": "application/json"}


def rest(model: str, gifs: Sequence[str], work: str) -> Subject:
    """`gif-analyzer serve rest`, without its cache."""
    [port] = free_ports(1)
    program = Program(
        [*_gif_analyzer("rest"), "--port", str(port), "--model", model],
        Path(work) / "rest.log",
        {"GIF_ANALYZER_CACHE_BYTES": "0", "GIF_ANALYZER_WORKERS": "1"},
    )
    service = HttpService(
        port,
        "/v1/identify?top_k=1",
        lambda gif: (gif, {"Content-Type": "image/gif"}),
        lambda body: str(json.loads(body)["shows"][0]["show"]),
    )
    return _subject(program, service, gifs, f"gif-analyzer {importlib.metadata.version('gif-analyzer')}")


def grpc_pair(model: str, gifs: Sequence[str], work: str) -> Subject:
    """`gif-analyzer serve grpc`: DecodeGif, then Classify with the clip that came back."""
    from benchmarks.peers.load import GrpcService  # noqa: PLC0415 - its libraries are not everywhere

    [port] = free_ports(1)
    program = Program(
        [*_gif_analyzer("grpc"), "--port", str(port), "--model", model],
        Path(work) / "grpc.log",
        {"GIF_ANALYZER_WORKERS": "1"},
    )
    service = GrpcService(f"127.0.0.1:{port}")
    return _subject(program, service, gifs, f"gif-analyzer {importlib.metadata.version('gif-analyzer')}")


def mlflow(model: str, gifs: Sequence[str], work: str) -> Subject:
    """`mlflow models serve` of a Python model, JSON."""
    [port], folder = free_ports(1), Path(work) / "mlflow-model"
    log = Path(work) / "mlflow.log"
    saving = Program([sys.executable, "-m", f"{_APPS}.mlflow_model", str(folder)], log, {})
    saving.wait()
    program = Program(
        [
            *(sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder)),
            *("--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)),
        ],
        log,
        # It starts uvicorn by its name.
        {"BENCHMARK_MODEL": model, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )
    service = HttpService(
        port,
        "/invocations",
        lambda gif: (json.dumps({"inputs": [_text(gif)]}).encode(), _JSON),
        lambda body: str(json.loads(body)["predictions"][0]),
    )
    return _subject(program, service, gifs, f"MLflow {importlib.metadata.version('mlflow')}")


def mlserver(model: str, gifs: Sequence[str], work: str, environment: str) -> Subject:
    """MLServer with a runtime of its own, Open Inference Protocol, in one process."""
    python = interpreter(environment)
    port, grpc_port, metrics_port = free_ports(3)
    folder = Path(work) / "mlserver"
    settings = {
        **{"host": "127.0.0.1", "http_port": port, "grpc_port": grpc_port, "metrics_port": metrics_port},
        **{"parallel_workers": 0, "debug": False},
    }
    runtime = {"name": "gif", "implementation": f"{_APPS}.mlserver_runtime.GifRuntime"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    (folder / "model-settings.json").write_text(json.dumps(runtime), "utf-8")
    program = Program(
        [str(python.with_name("mlserver")), "start", str(folder)],
        Path(work) / "mlserver.log",
        {"BENCHMARK_MODEL": model},
    )

    def wrap(gif: bytes) -> tuple[bytes, Mapping[str, str]]:
        tensor = {"name": "gif", "shape": [1], "datatype": "BYTES", "data": [_text(gif)]}
        return json.dumps({"inputs": [tensor]}).encode(), _JSON

    service = HttpService(
        port, "/v2/models/gif/infer", wrap, lambda body: str(json.loads(body)["outputs"][0]["data"][0])
    )
    return _subject(program, service, gifs, _installed(python, "mlserver", "MLServer"))


def bentoml(model: str, gifs: Sequence[str], work: str, environment: str) -> Subject:
    """`bentoml serve`, one worker, JSON."""
    python, [port] = interpreter(environment), free_ports(1)
    program = Program(
        [
            *(str(python), "-m", "bentoml", "serve", f"{_APPS}.bentoml_service:GifShow"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        Path(work) / "bentoml.log",
        {"BENCHMARK_MODEL": model, "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": f"{work}/bentoml"},
    )
    service = HttpService(port, "/identify", _json_gif, lambda body: str(json.loads(body)["show"]))
    return _subject(program, service, gifs, _installed(python, "bentoml", "BentoML"))


def litserve(model: str, gifs: Sequence[str], work: str, environment: str) -> Subject:
    """LitServe, one worker, JSON."""
    python, [port] = interpreter(environment), free_ports(1)
    program = Program(
        [str(python), "-m", f"{_APPS}.litserve_app", str(port)],
        Path(work) / "litserve.log",
        {"BENCHMARK_MODEL": model},
    )
    service = HttpService(port, "/predict", _json_gif, lambda body: str(json.loads(body)["show"]))
    return _subject(program, service, gifs, _installed(python, "litserve", "LitServe"))


def _subject(program: Program, service: Any, paths: Sequence[str], version: str) -> Subject:
    gifs = [(ROOT / path).read_bytes() for path in paths]
    try:
        program.wait_for(lambda: service.ask(gifs[0]))
    except BaseException:
        program.end()
        raise

    def close() -> None:
        service.close()
        program.end()

    return Subject(
        version,
        lambda clients: send_all(service, gifs, REQUESTS, clients),
        load=int,
        check=list,
        close=close,
        units=REQUESTS,
    )


def _gif_analyzer(what: str) -> list[str]:
    return [str(Path(sys.executable).with_name("gif-analyzer")), "serve", what]


def _installed(python: Path, package: str, name: str) -> str:
    [found] = python.parents[1].glob(f"lib/python*/site-packages/{package}-*.dist-info")
    return f"{name} {found.name.removesuffix('.dist-info').partition('-')[2]}"


def _text(gif: bytes) -> str:
    return base64.b64encode(gif).decode()


def _json_gif(gif: bytes) -> tuple[bytes, Mapping[str, str]]:
    return json.dumps({"gif": _text(gif)}).encode(), _JSON
