"""One trace through three processes: the gateway and both services, started as users start them."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.support import programs
from tests.support.otlp_collector import Exported, collecting

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
DECODE = "gif_analyzer.v1.PreprocessService/DecodeGif"
CLASSIFY = "gif_analyzer.v1.InferenceService/Classify"
GET_MODEL = "gif_analyzer.v1.InferenceService/GetModel"


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


def end(process: subprocess.Popen[str]) -> list[dict[str, str]]:
    """End a server, which must end well; returns the lines of its log."""
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=120)
    assert process.returncode == 0
    return [json.loads(line) for line in log.splitlines()]


def test_a_trace_spans_all_three_processes_in_their_logs_and_in_the_collector(
    model_path: Path, save_gif: Callable[..., Path]
) -> None:
    gif = save_gif("private-name.gif", "red").read_bytes()
    python, port = (sys.executable, "-m"), ("--port", "0")
    with collecting() as collector, contextlib.ExitStack() as running:

        def start(*words: str) -> tuple[subprocess.Popen[str], str]:
            served = programs.started(list(words), OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
            return running.enter_context(served)

        preprocess, first = start(*python, "services.preprocess", *port)
        inference, second = start(*python, "services.inference", *port, "--model", str(model_path))
        both = ("--preprocess", first, "--inference", second)
        gateway, address = start(*programs.command("gif-analyzer", "serve", "rest", *port, *both))
        url = f"http://{address}"
        assert ask(url, gif, traceparent=f"00-{TRACE}-{SPAN}-01") == 200
        assert ask(url, b"<html>", traceparent=f"00-{TRACE.upper()}-{SPAN}-01") == 422
        with urllib.request.urlopen(f"{url}/health/ready", timeout=60) as response:
            assert response.status == 200
        logs = [end(process) for process in (gateway, inference, preprocess)]  # exports what is left

    log, *others = logs
    traced, new, health = (line for line in log if line["message"] == "request")
    assert traced["trace_id"] == TRACE
    assert new["trace_id"] != TRACE and len(new["trace_id"]) == 32
    calls = [line for each in others for line in each if line["message"] == "call"]
    assert {(line["rpc"], line["trace_id"]) for line in calls} == {
        (GET_MODEL, TRACE),
        (DECODE, TRACE),
        (CLASSIFY, TRACE),
        (DECODE, new["trace_id"]),
        ("grpc.health.v1.Health/Check", health["trace_id"]),
    }
    ids = [line["span_id"] for line in (traced, new, *calls)]
    assert len(set(ids)) == len(ids) and SPAN not in ids

    assert set(collector.paths) == {"/v1/traces"}
    assert {span.trace_id for span in collector.spans()} == {TRACE, new["trace_id"]}  # not that of health
    spans = [span for span in collector.spans() if span.trace_id == TRACE]
    by_id = {span.span_id: span for span in spans}

    def path(span: Exported) -> list[str]:
        """From the gateway's span to this one."""
        above = path(by_id[span.parent_id]) if span.parent_id != SPAN else []
        return [*above, f"{span.service.removeprefix('gif-analyzer-')}: {span.name}"]

    paths = [path(span) for span in spans]
    for rpc, service, steps in (
        (DECODE, "preprocess", ["preprocess"]),
        (CLASSIFY, "inference", ["inference"]),
        (GET_MODEL, "inference", []),
    ):
        root = ["gateway: POST /v1/identify", f"gateway: {rpc}", f"{service}: {rpc}"]
        assert [*root, *(f"{service}: {step}" for step in steps)] in paths
    assert not any(span.failed for span in spans)
    [received] = [span for span in spans if span.parent_id == SPAN]
    assert received.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/identify",
        "http.response.status_code": 200,
    }
    assert all(b"private-name" not in body for body in collector.bodies)


def test_a_server_answers_and_ends_although_no_collector_does(
    model_path: Path, save_gif: Callable[..., Path]
) -> None:
    words = programs.command("gif-analyzer", "serve", "rest", "--port", "0", "--model", model_path)
    with programs.started(words, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") as (process, address):
        assert ask(f"http://{address}", save_gif("a.gif", "red").read_bytes()) == 200

        end(process)
