"""One trace through three processes: the gateway and both services, started as users start them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from delivery.request import Request, to_event
from tests.support import programs
from tests.support.otlp_collector import Exported, collecting
from tests.support.paths import ROOT

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DECODE = "gif_analyzer.v1.PreprocessService/DecodeGif"
CLASSIFY = "gif_analyzer.v1.InferenceService/Classify"
GET_MODEL = "gif_analyzer.v1.InferenceService/GetModel"

Run = Callable[..., "tuple[str, Callable[[], list[list[dict[str, object]]]]]"]


@pytest.fixture
def run(model_path: Path) -> Iterator[Run]:
    """Start all three with variables; returns the gateway's URL and a function that ends them.

    That function returns the lines of each log: of the gateway, of preprocess and of inference.
    """
    processes: list[subprocess.Popen[str]] = []

    def start(command: list[str], environ: dict[str, str]) -> str:
        process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())
        assert line["message"] == "serving"
        return str(line["address"])

    def start_all(**variables: str) -> tuple[str, Callable[[], list[list[dict[str, object]]]]]:
        environ = programs.environ(**variables)
        python = [sys.executable, "-m"]
        preprocess = start([*python, "services.preprocess", "--port", "0"], environ)
        inference = start([*python, "services.inference", "--port", "0", "--model", str(model_path)], environ)
        services = ["--preprocess", preprocess, "--inference", inference]
        gateway = start(programs.command("gif-analyzer", "serve", "rest", "--port", "0", *services), environ)

        def end() -> list[list[dict[str, object]]]:
            logs = []
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
            for process in reversed(processes):
                _, log = process.communicate(timeout=120)
                assert process.returncode == 0
                logs.append([json.loads(line) for line in log.splitlines()])
            gateway_log, inference_log, preprocess_log = logs
            return [gateway_log, preprocess_log, inference_log]

        return f"http://{gateway}", end

    yield start_all
    for process in processes:
        process.kill()
        process.communicate()


def ask(url: str, gif: bytes, **headers: str) -> int:
    request = urllib.request.Request(
        f"{url}/v1/identify", gif, {"Content-Type": "image/gif", **headers}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_trace_goes_through_the_logs_of_all_three(run: Run, save_gif: Callable[..., Path]) -> None:
    url, end = run()

    assert ask(url, save_gif("a.gif", "red").read_bytes(), traceparent=f"00-{TRACE}-{SPAN}-01") == 200
    assert ask(url, b"<html>", traceparent=f"00-{TRACE.upper()}-{SPAN}-01") == 422
    gateway, preprocess, inference = end()

    traced, new = (line for line in gateway if line["message"] == "request")
    assert traced["trace_id"] == TRACE
    assert new["trace_id"] != TRACE and len(str(new["trace_id"])) == 32
    calls = [line for log in (preprocess, inference) for line in log if line["message"] == "call"]
    assert {(line["rpc"], line["trace_id"]) for line in calls} == {
        (GET_MODEL, TRACE),
        (DECODE, TRACE),
        (CLASSIFY, TRACE),
        (DECODE, new["trace_id"]),
    }
    ids = [str(line["span_id"]) for line in (traced, new, *calls)]
    assert len(set(ids)) == len(ids) and SPAN not in ids
    assert all("trace_id" not in line for line in gateway if line["message"] == "serving")


def test_a_trace_spans_all_three_processes_in_the_collector(run: Run, save_gif: Callable[..., Path]) -> None:
    gif = save_gif("private-name.gif", "red").read_bytes()
    with collecting() as collector:
        url, end = run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
        assert ask(url, gif, traceparent=f"00-{TRACE}-{SPAN}-01") == 200
        with urllib.request.urlopen(f"{url}/health/ready", timeout=60) as response:
            assert response.status == 200
        end()  # exports what is left

    spans = collector.spans()
    assert set(collector.paths) == {"/v1/traces"}
    assert {span.trace_id for span in spans} == {TRACE}  # health is not recorded
    by_id = {span.span_id: span for span in spans}

    def path(span: Exported) -> list[str]:
        """From the gateway's span to this one."""
        above = path(by_id[span.parent_id]) if span.parent_id != SPAN else []
        return [*above, f"{span.service.removeprefix('gif-analyzer-')}: {span.name}"]

    root = "gateway: POST /v1/identify"
    paths = [path(span) for span in spans]
    for rpc, service, steps in (
        (DECODE, "preprocess", ["preprocess"]),
        (CLASSIFY, "inference", ["inference"]),
        (GET_MODEL, "inference", []),
    ):
        chain = [root, f"gateway: {rpc}", f"{service}: {rpc}", *(f"{service}: {step}" for step in steps)]
        assert chain in paths
    assert not any(span.failed for span in spans)
    [gateway] = [span for span in spans if span.parent_id == SPAN]
    assert gateway.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/identify",
        "http.response.status_code": 200,
    }
    assert all(b"private-name" not in body for body in collector.bodies)


def test_programs_answer_and_end_although_no_collector_does(run: Run, save_gif: Callable[..., Path]) -> None:
    url, end = run(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")

    assert ask(url, save_gif("a.gif", "red").read_bytes()) == 200

    end()


def test_lambda_logs_the_trace_too(save_gif: Callable[..., Path]) -> None:
    gif = save_gif("a.gif", "red").read_bytes()
    headers = {"content-type": "image/gif", "traceparent": f"00-{TRACE}-{SPAN}-01"}
    event = to_event(Request("POST", "/v1/identify", "", headers, gif))
    program = (
        "import json, sys\nfrom gateway.lambda_handler import handler\nhandler(json.load(sys.stdin), None)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(event),
        env=programs.environ(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    lines = [json.loads(text) for text in done.stderr.splitlines()]
    assert [(line["message"], line["trace_id"]) for line in lines] == [("answer", TRACE), ("request", TRACE)]
    assert all(len(line["span_id"]) == 16 and line["span_id"] != SPAN for line in lines)
