"""What becomes of calls when their server is told to end: `python -m benchmarks.drain`.

200 calls at once, half of them DecodeGif and half Classify, over 8 connections; every tenth is cancelled or
has a deadline that it cannot keep; SIGTERM when a tenth are answered; 20 more calls after it was sent. Each
call carries an id, the server logs the id of each call that it took on, and the two lists are compared.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import io
import json
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import grpc
from gif_analyzer.v1 import inference_pb2, inference_pb2_grpc, preprocess_pb2, preprocess_pb2_grpc
from PIL import Image

from benchmarks.process import ServiceProcess, start_services
from services.inference import default_model_path
from services.preprocess import decode_gif
from services.rpc.server import REQUEST_ID
from services.rpc.wire import write_clip

CALLS = 200
LATE_CALLS = 20
BEFORE_THE_END = CALLS // 10  # answered when the server is told to end
LATE_EVERY_S = 0.06
CONNECTIONS = 8
DEADLINE_S = 0.02  # of every twentieth call: the queue before it takes longer
GRACE_S = 30.0


@dataclasses.dataclass(frozen=True)
class DrainReport:
    """What the callers saw beside what the server logged.

    Attributes:
        outcomes: calls by what their callers saw: a status code, "OK" for an answer.
        late_outcomes: the same of the calls that came after SIGTERM.
        logged: calls by how the server ended them.
        given_up: calls that were to be cancelled or to miss their deadline.
        lost: ids of calls that the server took on and whose callers, who waited, have no answer.
        twice: ids of calls that the server took on more than once.
        unfinished: calls that the server cut at its end, as it says itself.
        in_flight: calls that were waiting or computed when the drain began.
        drain_s: seconds from SIGTERM to the end of the process.
        exit_code: of the process.
    """

    outcomes: dict[str, int]
    late_outcomes: dict[str, int]
    logged: dict[str, int]
    given_up: int
    lost: list[str]
    twice: list[str]
    unfinished: int
    in_flight: int
    drain_s: float
    exit_code: int


class _Callers:
    """Many calls at once over several connections, and what they ended with, by id."""

    def __init__(self, address: str) -> None:
        own = [("grpc.use_local_subchannel_pool", 1)]  # else channels to one address share a connection
        self._channels = [grpc.insecure_channel(address, own) for _ in range(CONNECTIONS)]
        for channel in self._channels:
            grpc.channel_ready_future(channel).result(timeout=30)
        self._gif = _slow_gif()
        self._request = inference_pb2.ClassifyRequest()
        write_clip(decode_gif(self._gif), self._request.clip)
        self._answered = threading.Semaphore(0)
        self.calls: dict[str, Any] = {}

    def start(self, name: str, number: int, *, timeout_s: float | None = None) -> None:
        """Start a call and do not wait for it."""
        channel = self._channels[number % CONNECTIONS]
        options: dict[str, Any] = {"metadata": ((REQUEST_ID, name),), "timeout": timeout_s}
        if number % 2:
            inference = inference_pb2_grpc.InferenceServiceStub(channel)
            call: Any = inference.Classify.future(self._request, **options)
        else:
            preprocess = preprocess_pb2_grpc.PreprocessServiceStub(channel)
            call = preprocess.DecodeGif.future(preprocess_pb2.DecodeGifRequest(gif=self._gif), **options)
        call.add_done_callback(lambda _: self._answered.release())
        self.calls[name] = call

    def wait_for(self, answers: int) -> None:
        """Wait until so many more calls have ended."""
        for _ in range(answers):
            if not self._answered.acquire(timeout=60):
                raise TimeoutError("calls neither end nor fail")

    def close(self) -> None:
        for channel in self._channels:
            channel.close()


def _slow_gif() -> bytes:
    """Ten plain frames of 2 megapixels: few bytes that take long, so calls wait when the drain begins."""
    first, *others = [Image.new("RGB", (1500, 1500), (20 * n, 0, 255 - 20 * n)) for n in range(10)]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=100)
    return file.getvalue()


def measure(model: Path, *, workers: int = 2, seed: int = 0) -> DrainReport:
    """Do it once, with this model."""
    options = (
        "--model",
        str(model),
        "--workers",
        str(workers),
        "--waiting",
        str(CALLS),
        "--grace",
        str(GRACE_S),
    )
    with start_services(*options) as services:
        callers = _Callers(services.address)
        try:
            return _measure(services, callers, random.Random(seed))
        finally:
            callers.close()


def _measure(services: ServiceProcess, callers: _Callers, chance: random.Random) -> DrainReport:
    cancelled = {f"call-{number}" for number in range(0, CALLS, 20)}
    hurried = {f"call-{number}" for number in range(11, CALLS, 20)}
    for number in range(CALLS):
        name = f"call-{number}"
        callers.start(name, number, timeout_s=DEADLINE_S if name in hurried else None)
    for name in chance.sample(sorted(cancelled), len(cancelled)):
        callers.calls[name].cancel()
        time.sleep(0.005)
    callers.wait_for(BEFORE_THE_END)
    services.process.send_signal(signal.SIGTERM)
    signalled = time.monotonic()
    for number in range(LATE_CALLS):
        callers.start(f"late-{number}", number)
        time.sleep(LATE_EVERY_S)
    callers.wait_for(CALLS + LATE_CALLS - BEFORE_THE_END)
    exit_code = services.process.wait(GRACE_S + 10)
    drain_s = time.monotonic() - signalled

    log = services.read_log()
    lines = [line for line in log if line["message"] == "call"]
    taken = collections.Counter(line["request_id"] for line in lines)
    codes = {name: call.code().name for name, call in callers.calls.items()}
    given_up = cancelled | hurried
    [drained] = [line for line in log if line["message"] == "draining"]
    [stopped] = [line for line in log if line["message"] == "stopped"]
    early = {name: code for name, code in codes.items() if name.startswith("call-")}
    late = {name: code for name, code in codes.items() if name.startswith("late-")}
    return DrainReport(
        outcomes=dict(collections.Counter(early.values())),
        late_outcomes=dict(collections.Counter(late.values())),
        logged=dict(collections.Counter(line["code"] for line in lines)),
        given_up=len(given_up),
        lost=sorted(name for name in taken if name not in given_up and codes[name] != "OK"),
        twice=sorted(name for name, times in taken.items() if times > 1),
        unfinished=stopped["unfinished"],
        in_flight=drained["in_flight"],
        drain_s=round(drain_s, 3),
        exit_code=exit_code,
    )


def main() -> None:
    """Print the report as JSON; exit 1 when a call was lost, answered twice or cut."""
    command = argparse.ArgumentParser(prog="python -m benchmarks.drain", description=__doc__)
    command.add_argument("--model", type=Path, default=default_model_path(), help="an ONNX file")
    command.add_argument("--workers", type=int, default=2, help="calls computed at a time")
    options = command.parse_args()
    report = measure(options.model, workers=options.workers)
    sys.stdout.write(json.dumps(dataclasses.asdict(report), indent=2) + "\n")
    sys.exit(bool(report.lost or report.twice or report.unfinished or report.exit_code))


if __name__ == "__main__":
    main()
