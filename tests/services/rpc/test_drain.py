"""A server that is told to stop answers every call that it took on, once.

200 calls at once, half of them DecodeGif and half Classify, over 8 connections; every tenth is cancelled or
has a deadline too short to keep. SIGTERM comes when a tenth are answered, and 20 more calls after it. Each
call carries an id, and the server logs the id of each call that it took on.
"""

from __future__ import annotations

import collections
import io
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from gif_analyzer.v1 import inference_pb2, inference_pb2_grpc, preprocess_pb2, preprocess_pb2_grpc
from PIL import Image

from benchmarks.harness.servers import ServiceProcess, start_services
from services.preprocess import decode_gif
from services.rpc.server import REQUEST_ID
from services.rpc.wire import write_clip

CALLS = 200
LATE_CALLS = 20
BEFORE_SIGTERM = CALLS // 10  # answered calls
SLICE_S = 0.05  # for which the server works before its client looks how far it is
LATE_EVERY_S = 0.06
CONNECTIONS = 8
DEADLINE_S = 0.02  # shorter than the queue takes
GRACE_S = 30.0

CANCELLED = {f"call-{number}" for number in range(0, CALLS, 20)}
HURRIED = {f"call-{number}" for number in range(11, CALLS, 20)}  # have the deadline
GIVEN_UP = CANCELLED | HURRIED


class Callers:
    """Starts calls over several connections, and keeps them by id."""

    def __init__(self, address: str) -> None:
        own = [("grpc.use_local_subchannel_pool", 1)]  # otherwise channels to one address share a connection
        self._channels = [grpc.insecure_channel(address, own) for _ in range(CONNECTIONS)]
        for channel in self._channels:
            grpc.channel_ready_future(channel).result(timeout=30)
        self._gif = slow_gif()
        self._request = inference_pb2.ClassifyRequest()
        write_clip(decode_gif(self._gif), self._request.clip)
        self._ended = threading.Semaphore(0)
        self.calls: dict[str, Any] = {}

    def start(self, name: str, number: int, *, timeout_s: float | None = None) -> None:
        channel = self._channels[number % CONNECTIONS]
        options: dict[str, Any] = {"metadata": ((REQUEST_ID, name),), "timeout": timeout_s}
        if number % 2:
            call = inference_pb2_grpc.InferenceServiceStub(channel).Classify.future(self._request, **options)
        else:
            preprocess = preprocess_pb2_grpc.PreprocessServiceStub(channel)
            call = preprocess.DecodeGif.future(preprocess_pb2.DecodeGifRequest(gif=self._gif), **options)
        call.add_done_callback(lambda _: self._ended.release())
        self.calls[name] = call

    def answered(self) -> int:
        return sum(call.done() and call.code() is grpc.StatusCode.OK for call in self.calls.values())

    def wait(self) -> None:
        """Until every call has ended."""
        for _ in self.calls:
            assert self._ended.acquire(timeout=60), "calls neither end nor fail"

    def close(self) -> None:
        for channel in self._channels:
            channel.close()


def slow_gif() -> bytes:
    """Ten plain frames of 2 megapixels: few bytes that take long, so calls wait when the server stops."""
    first, *others = [Image.new("RGB", (1500, 1500), (20 * n, 0, 255 - 20 * n)) for n in range(10)]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=100)
    return file.getvalue()


@pytest.fixture
def server(model_path: Path) -> Iterator[ServiceProcess]:
    options = ("--workers", "2", "--waiting", str(CALLS), "--grace", str(GRACE_S))
    with start_services("--model", str(model_path), *options) as services:
        yield services


@pytest.fixture
def callers(server: ServiceProcess) -> Iterator[Callers]:
    callers = Callers(server.address)
    yield callers
    callers.close()


def test_no_call_is_lost_or_answered_twice_when_the_server_is_told_to_stop(
    server: ServiceProcess, callers: Callers
) -> None:
    tell = server.process.send_signal
    tell(signal.SIGSTOP)  # on a busy machine it would be done before the last call begins
    for number in range(CALLS):
        name = f"call-{number}"
        callers.start(name, number, timeout_s=DEADLINE_S if name in HURRIED else None)
    for name in sorted(CANCELLED):
        callers.calls[name].cancel()
        time.sleep(0.005)
    while callers.answered() < BEFORE_SIGTERM:
        tell(signal.SIGCONT)
        time.sleep(SLICE_S)
        tell(signal.SIGSTOP)
    tell(signal.SIGTERM)
    tell(signal.SIGCONT)
    for number in range(LATE_CALLS):
        callers.start(f"late-{number}", number)
        time.sleep(LATE_EVERY_S)
    callers.wait()
    assert server.process.wait(GRACE_S + 10) == 0

    log = server.read_log()
    lines = [line for line in log if line["message"] == "call"]
    taken = collections.Counter(line["request_id"] for line in lines)
    codes = {name: call.code().name for name, call in callers.calls.items()}
    assert [name for name in taken if name not in GIVEN_UP and codes[name] != "OK"] == []
    assert [name for name, times in taken.items() if times > 1] == []
    assert [line["unfinished"] for line in log if line["message"] == "stopped"] == [0]

    # The test is worth something only if much was going on.
    [draining] = [line for line in log if line["message"] == "draining"]
    assert draining["in_flight"] >= 20
    early = collections.Counter(code for name, code in codes.items() if name.startswith("call-"))
    late = collections.Counter(code for name, code in codes.items() if name.startswith("late-"))
    assert early["OK"] >= CALLS - len(GIVEN_UP)
    assert early["DEADLINE_EXCEEDED"] + early["CANCELLED"] >= 10
    assert late["UNAVAILABLE"] >= 1
    assert collections.Counter(line["code"] for line in lines)["OK"] == early["OK"] + late["OK"]
