"""The servers as programs: started, called and stopped as users do."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from gif_analyzer.v1 import preprocess_pb2, preprocess_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from PIL import Image

from services.inference.rpc import RemoteClassifier
from services.preprocess.rpc import RemotePreprocess
from tests.support import programs

PREPROCESS = "gif_analyzer.v1.PreprocessService"
INFERENCE = "gif_analyzer.v1.InferenceService"
OPEN_INFERENCE = "inference.GRPCInferenceService"
PROGRAMS = {
    "services": {PREPROCESS, INFERENCE, OPEN_INFERENCE},
    "services.preprocess": {PREPROCESS},
    "services.inference": {INFERENCE, OPEN_INFERENCE},
}

Start = Callable[..., "tuple[subprocess.Popen[str], str]"]


@pytest.fixture
def start(model_path: Path) -> Iterator[Start]:
    """Start a program and wait until it serves; returns its process and its address."""
    with contextlib.ExitStack() as running:

        def run(module: str, *options: str) -> tuple[subprocess.Popen[str], str]:
            model = () if module == "services.preprocess" else ("--model", str(model_path))
            words = [sys.executable, "-m", module, "--port", "0", *options, *model]
            return running.enter_context(programs.started(words))

        yield run


@pytest.mark.parametrize(
    ("module", "told"), list(zip(PROGRAMS, (signal.SIGINT, signal.SIGTERM, signal.SIGTERM), strict=True))
)
def test_a_program_serves_its_services_and_ends_when_told(
    start: Start, module: str, told: signal.Signals
) -> None:
    process, address = start(module)

    with grpc.insecure_channel(address) as channel:
        services = set(ProtoReflectionDescriptorDatabase(channel).get_services())
        for service in PROGRAMS[module]:
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
            assert health.status == health_pb2.HealthCheckResponse.SERVING
    process.send_signal(told)
    _, log = process.communicate(timeout=120)

    assert {service for service in services if not service.startswith("grpc.")} == PROGRAMS[module]
    assert process.returncode == 0
    assert [json.loads(line)["message"] for line in log.splitlines()][-2:] == ["draining", "stopped"]


def test_two_programs_give_a_prediction_and_log_their_calls(
    start: Start, save_gif: Callable[..., Path]
) -> None:
    _, preprocess_address = start("services.preprocess")
    process, inference_address = start("services.inference")

    with RemotePreprocess(preprocess_address) as preprocess, RemoteClassifier(inference_address) as inference:
        prediction = inference.classify(preprocess.decode_gif(save_gif("blue.gif", "blue").read_bytes()))

    process.terminate()
    _, log = process.communicate(timeout=120)

    assert prediction.shows[0].show == "Blue Show"
    [call] = [
        line for line in map(json.loads, log.splitlines()) if line.get("rpc") == f"{INFERENCE}/Classify"
    ]
    assert (call["message"], call["code"], call["level"]) == ("call", "OK", "INFO")
    assert {"time", "duration_ms", "request_id", "peer"} < set(call)


def refused(*options: str) -> tuple[int, str]:
    """Run a program that cannot start; returns its exit code and its standard error."""
    done = programs.call("services", *options)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("options", "reason", "why"),
    [
        (["--model", "none.onnx"], "MODEL_ERROR", "not a usable model: none.onnx: there is no such file"),
        (["--tls-key", "key.pem"], "USAGE", "TLS takes both a certificate and its key"),
    ],
)
def test_a_program_that_cannot_start_is_one_log_line(options: list[str], reason: str, why: str) -> None:
    code, said = refused(*options)

    line = json.loads(said)
    assert (code, line["reason"], line["why"]) == (2, reason, why)


def test_a_port_in_use_is_one_log_line(start: Start, model_path: Path) -> None:
    _, address = start("services")

    code, said = refused("--model", str(model_path), "--port", address.rpartition(":")[2])

    # gRPC's core may print its own message first.
    assert (code, json.loads(said.splitlines()[-1])["reason"]) == (2, "CANNOT_SERVE")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "65536"),
        ("--port", "http"),
        ("--workers", "0"),
        ("--waiting", "-1"),
        ("--grace", "nan"),
        ("--notice", "-1"),
        ("--threads", "0"),
        ("--max-bytes", "0"),
    ],
)
def test_an_option_out_of_range_is_a_usage_error(option: str, value: str) -> None:
    code, said = refused(option, value)

    assert code == 2
    assert f"Invalid value for '{option}'" in said


def slow_gif() -> bytes:
    """1,000 frames of 16 megapixels that must all be decoded, because each is transparent."""
    written = io.BytesIO()
    Image.new("P", (4000, 4000), 1).save(written, "GIF", transparency=0)
    head, control, picture = written.getvalue().partition(b"!\xf9\x04")
    return head + (control + picture.removesuffix(b";")) * 1_000 + b";"


def test_a_program_ends_after_its_grace_time_even_if_it_still_computes(start: Start) -> None:
    request = preprocess_pb2.DecodeGifRequest(gif=slow_gif())
    process, address = start("services.preprocess", "--grace", "0.2", "--max-decoded-pixels", str(10**11))
    with grpc.insecure_channel(address) as channel:
        call = preprocess_pb2_grpc.PreprocessServiceStub(channel).DecodeGif.future(request, timeout=60)
        time.sleep(0.5)
        assert not call.done()

        process.terminate()

        assert process.wait(120) == 0
        assert call.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
    assert process.stderr is not None
    assert json.loads(process.stderr.read().splitlines()[-1])["unfinished"] == 1
