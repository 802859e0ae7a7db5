"""`gif-analyzer serve` and `gif-analyzer serve rest`, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.harness.servers import start_services
from gateway.rest.server import allow_open_files, listen
from gateway.settings import RestSettings
from tests.support.paths import ROOT
from tests.support.private_log import private_part
from tests.support.programs import call, command, environ

START_S = 120.0  # to import everything on a busy machine

SaveGif = Callable[..., Path]


class Program:
    """A running `gif-analyzer serve …`: its process, its log, and the address of its gateway."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    def lines(self) -> list[dict[str, Any]]:
        whole = self._log.read_text("utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def wait_for(self, message: str, logger: str) -> dict[str, Any]:
        """The first line of the log that says so."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            for line in self.lines():
                if (line["message"], line["logger"]) == (message, logger):
                    return line
            assert self.process.poll() is None or message in self._log.read_text("utf-8"), self.lines()
            time.sleep(0.02)
        raise AssertionError(f"it never said {message!r}: {self.lines()}")

    @property
    def url(self) -> str:
        return f"http://{self.wait_for('serving', 'gateway.rest.server')['address']}"


@contextlib.contextmanager
def started(*words: str, **variables: str) -> Iterator[Program]:
    """Start it; the end of the block kills it, if it has not ended by itself."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command("gif-analyzer", "serve", *words), cwd=ROOT, env=environ(**variables), stderr=output
            )
        try:
            yield Program(process, log)
        finally:
            process.kill()
            process.wait()
            assert not private_part(log.read_text("utf-8"))


def ask(program: Program, gif: bytes, path: str = "/v1/identify") -> httpx.Response:
    headers = {"Content-Type": "image/gif"}
    return httpx.post(program.url + path, content=gif, headers=headers, timeout=120, trust_env=False)


@pytest.fixture
def gif(save_gif: SaveGif) -> bytes:
    return save_gif("blue.gif", "blue").read_bytes()


def test_rest_alone_computes_by_itself(model_path: Path, gif: bytes) -> None:
    with started("rest", "--port", "0", "--model", str(model_path)) as program:
        answer = ask(program, gif)

        assert answer.json()["shows"][0]["show"] == "Blue Show"
        assert httpx.get(f"{program.url}/health/ready", trust_env=False).status_code == 200
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(START_S) == 0
        told = [line["message"] for line in program.lines() if line["logger"] == "gateway.rest.server"]
        assert told == ["serving", "draining", "stopped"]


def test_nagle_is_off() -> None:
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_limit_of_open_files(caplog: pytest.LogCaptureFixture) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        allow_open_files(RestSettings(connections=300, fetches=8))
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)
        allow_open_files(RestSettings(connections=10))
        kept = resource.getrlimit(resource.RLIMIT_NOFILE)
        allow_open_files(RestSettings(connections=2**40))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert raised == kept == (300 + 64 + 8 + 128, before[1])
    assert before[1] == resource.RLIM_INFINITY or "too few files may be open" in caplog.text


def test_rest_before_remote_services_follows_them(model_path: Path, gif: bytes) -> None:
    with (
        start_services("--model", str(model_path)) as services,
        started(
            "rest", "--port", "0", "--preprocess", services.address, "--inference", services.address,
            GIF_ANALYZER_ATTEMPTS="1",
        ) as program,
    ):  # fmt: skip
        answer = ask(program, gif)
        ready = httpx.get(f"{program.url}/health/ready", trust_env=False)
        services.process.terminate()
        services.process.wait(START_S)
        after = httpx.get(f"{program.url}/health/ready", timeout=60, trust_env=False)

        assert answer.json()["shows"][0]["show"] == "Blue Show"
        assert ready.json() == {"status": "ready"}
        assert (after.status_code, after.json()["reason"]) == (503, "SERVICE_UNAVAILABLE")
        assert httpx.get(f"{program.url}/health/live", trust_env=False).status_code == 200


def test_serve_both(model_path: Path, gif: bytes) -> None:
    words = ("--port", "0", "--grpc-port", "0", "--model", str(model_path))
    # A proxy of the environment, where nobody listens, is not meant for the two of them.
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy"), "http://127.0.0.1:9")
    with started(*words, GIF_ANALYZER_MAX_FRAMES="1", no_proxy="", **proxies) as program:
        grpc = program.wait_for("serving", "services.rpc.server")["address"]
        answer = ask(program, gif)
        asked = call(
            "gif-analyzer", "identify", "--json", "--preprocess", grpc, "--inference", grpc, "-", stdin=gif
        )
        calls = {line.get("rpc") for line in program.lines() if line["message"] == "call"}
        program.process.send_signal(signal.SIGINT)

        assert program.process.wait(START_S) == 0
        assert answer.json()["votes"] == json.loads(asked.stdout)["votes"]
        assert "gif_analyzer.v1.InferenceService/Classify" in calls
        ends = [line["logger"] for line in program.lines() if line["message"] == "stopped"]
        assert ends == ["gateway.rest.server", "services.rpc.server"]


def test_graceful_end_of_a_request_in_flight(model_path: Path, gif: bytes) -> None:
    """Half of a request is sent, the program is told to end, and then the other half."""
    words = ("rest", "--port", "0", "--model", str(model_path))
    with started(*words, GIF_ANALYZER_NOTICE_S="1") as program:
        host, port = program.url.removeprefix("http://").split(":")
        form = f"Content-Type: image/gif\r\nContent-Length: {len(gif)}"
        head = f"POST /v1/identify HTTP/1.1\r\nHost: localhost\r\n{form}"
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(f"{head}\r\n\r\n".encode() + gif[:20])
            assert httpx.get(f"{program.url}/health/ready", trust_env=False).status_code == 200
            program.process.send_signal(signal.SIGTERM)
            program.wait_for("draining", "gateway.rest.server")
            ready = httpx.get(f"{program.url}/health/ready", trust_env=False)
            threading.Timer(1.5, connection.sendall, [gif[20:]]).start()
            received = b"".join(iter(lambda: connection.recv(65_536), b""))

        assert (ready.status_code, ready.json()["reason"]) == (503, "SERVICE_UNAVAILABLE")
        assert received.startswith(b"HTTP/1.1 200 OK")
        assert b"Blue Show" in received
        assert program.process.wait(START_S) == 0


@pytest.mark.parametrize(
    ("words", "variables", "says"),
    [
        (["rest", "--model", "none.onnx"], {}, "there is no such file"),
        (["rest"], {"GIF_ANALYZER_IN_FLIGHT": "none"}, "GIF_ANALYZER_IN_FLIGHT must be a whole number"),
        (["rest"], {"GIF_ANALYZER_METRICS": "maybe"}, "GIF_ANALYZER_METRICS must be on or off"),
        (["rest"], {"GIF_ANALYZER_CORS_ORIGINS": "example.org"}, "GIF_ANALYZER_CORS_ORIGINS must be origins"),
        (["rest", "--host", "192.0.2.1"], {}, "cannot serve at 192.0.2.1:8080"),
    ],
)
def test_failed_start_exits_2(words: list[str], variables: dict[str, str], says: str) -> None:
    done = call("gif-analyzer", "serve", *words, **variables)

    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
