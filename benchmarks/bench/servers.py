"""Servers to measure, and clients that send them GIFs and read back the shows.

Behind each server are the same two steps with the same model, so that only the servers differ. A server keeps
to the first processor of the machine, its client to the last. Each request is written as the server's users
write it.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import importlib.metadata
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.bench.contenders import ONE_THREAD, SERVER_CORE, core
from benchmarks.bench.environments import interpreter
from benchmarks.bench.worker import Subject
from benchmarks.harness.gifs import with_comment
from benchmarks.harness.servers import free_ports

REQUESTS = 16  # of one measurement
START_S = 150.0  # to listen and to answer for the first time
END_S = 10.0
_APPS = "benchmarks.bench.apps"
_GIF_ANALYZER = (str(Path(sys.executable).with_name("gif-analyzer")), "serve")

Identify = Callable[[bytes], str]  # sends one GIF and returns its show


def rest(model: str, gifs: Sequence[str], work: str) -> Subject:
    """`gif-analyzer serve rest`, without its cache."""
    [port] = free_ports(1)
    command = [*_GIF_ANALYZER, "rest", "--port", str(port), "--model", model]
    environment = {"GIF_ANALYZER_CACHE_BYTES": "0", "GIF_ANALYZER_WORKERS": "1"}
    program = Program(command, Path(work) / "rest.log", environment)
    path = "/v1/identify?top_k=1"
    identify = http_client(port, path, lambda gif: gif, lambda answer: answer["shows"][0]["show"])
    return _subject(program, identify, gifs, _version("gif-analyzer"))


def grpc_pair(model: str, gifs: Sequence[str], work: str) -> Subject:
    """`gif-analyzer serve grpc`: DecodeGif, then Classify with the clip that came back."""
    from services.inference.rpc import RemoteClassifier  # noqa: PLC0415 - an extra
    from services.preprocess.rpc import RemotePreprocess  # noqa: PLC0415

    [port] = free_ports(1)
    command = [*_GIF_ANALYZER, "grpc", "--port", str(port), "--model", model]
    program = Program(command, Path(work) / "grpc.log", {"GIF_ANALYZER_WORKERS": "1"})
    stack = contextlib.ExitStack()
    preprocess = stack.enter_context(RemotePreprocess(f"127.0.0.1:{port}"))
    classifier = stack.enter_context(RemoteClassifier(f"127.0.0.1:{port}"))

    def identify(gif: bytes) -> str:
        return classifier.classify(preprocess.decode_gif(gif), 1).shows[0].show

    return _subject(program, identify, gifs, _version("gif-analyzer"), close=stack.close)


def mlflow(model: str, gifs: Sequence[str], work: str) -> Subject:
    """`mlflow models serve` of a Python model, JSON."""
    [port], folder = free_ports(1), f"{work}/mlflow-model"
    subprocess.run([sys.executable, "-m", f"{_APPS}.mlflow_model", folder], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", folder]
    command += ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it starts uvicorn by its name
    program = Program(command, Path(work) / "mlflow.log", {"BENCHMARK_MODEL": model, "PATH": path})
    identify = http_client(
        port, "/invocations", lambda gif: {"inputs": [_text(gif)]}, lambda answer: answer["predictions"][0]
    )
    return _subject(program, identify, gifs, _version("mlflow", "MLflow"))


def mlserver(model: str, gifs: Sequence[str], work: str, environment: str) -> Subject:
    """MLServer with a runtime of its own, Open Inference Protocol, in one process."""
    python = interpreter(environment)
    port, grpc_port, metrics_port = free_ports(3)
    settings = {
        **{"host": "127.0.0.1", "http_port": port, "grpc_port": grpc_port, "metrics_port": metrics_port},
        **{"parallel_workers": 0, "debug": False},
    }
    runtime = {"name": "gif", "implementation": f"{_APPS}.mlserver_runtime.GifRuntime"}
    folder = Path(work) / "mlserver"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
    (folder / "model-settings.json").write_text(json.dumps(runtime), "utf-8")
    command = [str(python.with_name("mlserver")), "start", str(folder)]
    program = Program(command, Path(work) / "mlserver.log", {"BENCHMARK_MODEL": model})

    def body(gif: bytes) -> object:
        return {"inputs": [{"name": "gif", "shape": [1], "datatype": "BYTES", "data": [_text(gif)]}]}

    path = "/v2/models/gif/infer"
    identify = http_client(port, path, body, lambda answer: answer["outputs"][0]["data"][0])
    return _subject(program, identify, gifs, _installed(python, "mlserver", "MLServer"))


def bentoml(model: str, gifs: Sequence[str], work: str, environment: str) -> Subject:
    """`bentoml serve`, one worker, JSON."""
    python, [port] = interpreter(environment), free_ports(1)
    command = [str(python), "-m", "bentoml", "serve", f"{_APPS}.bentoml_service:GifShow"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    settings = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": f"{work}/bentoml"}
    program = Program(command, Path(work) / "bentoml.log", {"BENCHMARK_MODEL": model, **settings})
    identify = http_client(port, "/identify", lambda gif: {"gif": _text(gif)}, lambda answer: answer["show"])
    return _subject(program, identify, gifs, _installed(python, "bentoml", "BentoML"))


def litserve(model: str, gifs: Sequence[str], work: str, environment: str) -> Subject:
    """LitServe, one worker, JSON."""
    python, [port] = interpreter(environment), free_ports(1)
    command = [str(python), "-m", f"{_APPS}.litserve_app", str(port)]
    program = Program(command, Path(work) / "litserve.log", {"BENCHMARK_MODEL": model})
    identify = http_client(port, "/predict", lambda gif: {"gif": _text(gif)}, lambda answer: answer["show"])
    return _subject(program, identify, gifs, _installed(python, "litserve", "LitServe"))


class Program:
    """A server's process, with its children, on the first processor of the machine.

    Args:
        command: to start it.
        log: file for what it prints.
        environment: added to that of this process.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        processor = int(os.environ.get(SERVER_CORE, core(0)))
        with log.open("wb") as printed:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                cwd=ROOT,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT), **environment},
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {processor}),  # noqa: PLW1509 - no threads yet
            )

    def wait_for(self, request: Callable[[], object]) -> None:
        """Repeat a request until it is answered.

        Raises:
            RuntimeError: the program ended, or did not answer in time; says what it printed last.
        """
        end = time.monotonic() + START_S
        reason = ""
        while time.monotonic() < end and self._process.poll() is None:
            try:
                request()
                return
            except Exception as error:  # each client raises an error of its own while the server starts
                reason = f"{type(error).__name__}: {error}"
            time.sleep(0.3)
        ended = self._process.poll()
        state = "it does not answer" if ended is None else f"it ended with {ended}"
        raise RuntimeError(f"{state}: {reason[:120]}: {self._last_line()}")

    def end(self) -> None:
        """Terminate it and its children; kill what does not end in time."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)

    def _last_line(self) -> str:
        printed = self._log.read_text("utf-8", "replace").splitlines()
        return next((line.strip()[:150] for line in reversed(printed) if line.strip()), "it printed nothing")


def http_client(
    port: int, path: str, body: Callable[[bytes], bytes | object], read: Callable[[Any], str]
) -> Identify:
    """Return a client of a server on this machine that takes a GIF by POST; each thread keeps its connection.

    Args:
        port: of the server.
        path: of the request.
        body: GIF -> body of the request: bytes are sent as image/gif, anything else as JSON.
        read: parsed JSON of the answer -> show.
    """
    connections = threading.local()

    def identify(gif: bytes) -> str:
        content = body(gif)
        kind = "image/gif" if isinstance(content, bytes) else "application/json"
        sent = content if isinstance(content, bytes) else json.dumps(content).encode()
        if not hasattr(connections, "own"):
            connections.own = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connections.own.request("POST", path, sent, {"Content-Type": kind})
            answer = connections.own.getresponse()
            received = answer.read()
        except (OSError, http.client.HTTPException):
            connections.own.close()
            raise
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"HTTP {answer.status}: {received[:200]!r}")
        return str(read(json.loads(received)))

    return identify


_numbers = itertools.count()


def send_all(identify: Identify, gifs: Sequence[bytes], requests: int, clients: int) -> list[str]:
    """Send so many requests from several clients at once; return the shows in order.

    The GIFs are sent in turn. No two requests are the same, so that no cache answers.
    """
    sent = [with_comment(gifs[number % len(gifs)], f"request {next(_numbers)}") for number in range(requests)]
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(identify, sent))


def _subject(
    program: Program,
    identify: Identify,
    paths: Sequence[str],
    version: str,
    close: Callable[[], None] = lambda: None,
) -> Subject:
    gifs = [(ROOT / path).read_bytes() for path in paths]
    try:
        program.wait_for(lambda: identify(gifs[0]))
    except BaseException:
        program.end()
        raise

    def close_all() -> None:
        close()
        program.end()

    return Subject(
        version,
        lambda clients: send_all(identify, gifs, REQUESTS, clients),
        load=int,
        check=list,
        close=close_all,
        units=REQUESTS,
    )


def _version(package: str, name: str = "") -> str:
    return f"{name or package} {importlib.metadata.version(package)}"


def _installed(python: Path, package: str, name: str) -> str:
    [found] = python.parents[1].glob(f"lib/python*/site-packages/{package}-*.dist-info")
    return f"{name} {found.name.removesuffix('.dist-info').partition('-')[2]}"


def _text(gif: bytes) -> str:
    return base64.b64encode(gif).decode()
