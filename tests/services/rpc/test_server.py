from __future__ import annotations

import logging
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from gif_analyzer.v1 import inference_pb2, inference_pb2_grpc, preprocess_pb2, preprocess_pb2_grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from open_inference.v2 import open_inference_pb2, open_inference_pb2_grpc

from services.clip import Clip
from services.errors import CannotServe, DeadlineExceeded, Overloaded
from services.inference import Classifier
from services.inference.rpc import RemoteClassifier
from services.pair import build_pair
from services.preprocess import Budget
from services.rpc.server import RpcServer, serving
from services.rpc.settings import ChannelSettings, ServerSettings
from services.rpc.wire import from_rpc_error, write_clip
from tests.support.steps import HeldClassifier, Serve

ClipOf = Callable[..., Clip]
OpenChannel = Callable[[str], grpc.Channel]

RED = (255, 0, 0)
SERVICES = (
    "gif_analyzer.v1.PreprocessService",
    "gif_analyzer.v1.InferenceService",
    "inference.GRPCInferenceService",
)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for other threads, at most two minutes."""
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def request_for(clip: Clip) -> inference_pb2.ClassifyRequest:
    """The request of a client."""
    request = inference_pb2.ClassifyRequest()
    write_clip(clip, request.clip)
    return request


# Health, reflection, metrics, logs


def test_health_answers_for_each_service_and_no_other(
    serve: Serve, classifier: Classifier, open_channel: OpenChannel
) -> None:
    with serve(classifier) as address:
        check = health_pb2_grpc.HealthStub(open_channel(address)).Check

        for service in ("", *SERVICES):
            assert check(health_pb2.HealthCheckRequest(service=service)).status == SERVING
        with pytest.raises(grpc.RpcError) as caught:
            check(health_pb2.HealthCheckRequest(service="x"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_answers_while_every_worker_computes(
    serve: Serve, held: HeldClassifier, clip_of: ClipOf, open_channel: OpenChannel
) -> None:
    with serve(held, workers=1) as address, RemoteClassifier(address) as client, ThreadPoolExecutor() as pool:
        call = pool.submit(client.classify, clip_of(RED))
        held.begun.acquire()

        stub = health_pb2_grpc.HealthStub(open_channel(address))
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == SERVING

        held.go.set()
        assert call.result().known


def test_reflection_describes_every_service(
    serve: Serve, classifier: Classifier, open_channel: OpenChannel
) -> None:
    with serve(classifier) as address:
        database = ProtoReflectionDescriptorDatabase(open_channel(address))
        pool = DescriptorPool(database)

        assert set(SERVICES) < set(database.get_services())
        method = pool.FindServiceByName("gif_analyzer.v1.PreprocessService").FindMethodByName("DecodeGif")
        assert method.input_type.full_name == "gif_analyzer.v1.DecodeGifRequest"
        assert "clip" in pool.FindMessageTypeByName("gif_analyzer.v1.ClassifyRequest").fields_by_name


def test_metrics_count_calls_errors_and_time(
    serve: Serve, classifier: Classifier, clip_of: ClipOf, open_channel: OpenChannel
) -> None:
    built: list[RpcServer] = []
    with serve(classifier, built=built) as address, RemoteClassifier(address) as client:
        client.classify(clip_of(RED))
        client.classify(clip_of(RED))
        with pytest.raises(grpc.RpcError):
            preprocess_pb2_grpc.PreprocessServiceStub(open_channel(address)).DecodeGif(
                preprocess_pb2.DecodeGifRequest(gif=b"x")
            )
        read = built[0].registry.get_sample_value
        classify = {"rpc": "gif_analyzer.v1.InferenceService/Classify"}
        decode = {"rpc": "gif_analyzer.v1.PreprocessService/DecodeGif"}

        wait_until(lambda: read("gif_analyzer_rpc_errors_total", {**decode, "reason": "NOT_A_GIF"}) == 1)
        assert read("gif_analyzer_rpc_calls_total", {**classify, "code": "OK"}) == 2
        assert read("gif_analyzer_rpc_calls_total", {**decode, "code": "INVALID_ARGUMENT"}) == 1
        assert read("gif_analyzer_rpc_seconds_count", classify) == 2
        assert read("gif_analyzer_rpc_in_flight", classify) == 0


def test_metrics_are_served_over_http(
    serve: Serve, classifier: Classifier, clip_of: ClipOf, free_port: int
) -> None:
    with serve(classifier, metrics_port=free_port) as address, RemoteClassifier(address) as client:
        client.classify(clip_of(RED))

        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics", timeout=5) as page:
            text = page.read().decode()

    assert "gif_analyzer_rpc_seconds_bucket{" in text
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics", timeout=5)


def test_a_call_is_one_log_line_with_a_request_id(
    serve: Serve, classifier: Classifier, open_channel: OpenChannel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with serve(classifier) as address:
        stub = inference_pb2_grpc.InferenceServiceStub(open_channel(address))
        _, call = stub.GetModel.with_call(
            inference_pb2.GetModelRequest(), metadata=(("x-request-id", "mine"),)
        )
        with pytest.raises(grpc.RpcError) as caught:
            stub.Classify(inference_pb2.ClassifyRequest())

    assert ("x-request-id", "mine") in [tuple(pair) for pair in call.trailing_metadata()]
    [line] = [record for record in caplog.records if getattr(record, "request_id", None) == "mine"]
    assert line.__dict__["rpc"] == "gif_analyzer.v1.InferenceService/GetModel"
    assert line.__dict__["code"] == "OK"
    assert line.__dict__["duration_ms"] >= 0
    assert len(dict(caught.value.trailing_metadata())["x-request-id"]) == 32  # of a call without one


# Limits and deadlines


def test_a_call_beyond_the_queue_is_refused_and_the_others_are_answered(
    serve: Serve, held: HeldClassifier, clip_of: ClipOf
) -> None:
    built: list[RpcServer] = []
    with (
        serve(held, built=built, workers=1, waiting=2) as address,
        RemoteClassifier(address, ChannelSettings(attempts=1)) as client,
        ThreadPoolExecutor() as pool,
    ):
        calls = [pool.submit(client.classify, clip_of(RED)) for _ in range(3)]
        wait_until(lambda: built[0].workers.taken == 3)

        with pytest.raises(Overloaded, match="3 calls are being answered or wait"):
            client.classify(clip_of(RED))

        held.go.set()
        assert all(call.result().known for call in calls)
        wait_until(lambda: built[0].workers.taken == 0)
        assert client.classify(clip_of(RED)).known


@pytest.mark.parametrize("method", ["Classify", "DecodeGif", "ModelInfer"])
def test_a_call_beyond_the_queue_is_refused_before_its_message_is_there(
    serve: Serve, held: HeldClassifier, clip_of: ClipOf, open_channel: OpenChannel, method: str
) -> None:
    service = SERVICES[("DecodeGif", "Classify", "ModelInfer").index(method)]
    built: list[RpcServer] = []
    never = threading.Event()
    with serve(held, built=built, workers=1, waiting=0) as address, RemoteClassifier(address) as client:
        with ThreadPoolExecutor() as pool:
            first = pool.submit(client.classify, clip_of(RED))
            wait_until(lambda: built[0].workers.taken == 1)

            call = open_channel(address).stream_unary(f"/{service}/{method}")
            with pytest.raises(grpc.RpcError) as caught:
                call((b"" for _ in iter(never.wait, True)), timeout=60)  # whose message never comes
            described = client.shows  # takes no place among those that compute

            held.go.set()
            assert first.result().known
        never.set()

    error = from_rpc_error(caught.value, service=address, timeout_s=60)
    assert isinstance(error, Overloaded)
    assert error.details == {"limit": "1", "retry_after_s": "0.5"}
    assert described


def test_calls_are_limited_whatever_they_ask_for(
    serve: Serve,
    classifier: Classifier,
    open_channel: OpenChannel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.rpc.server.SPARE", 1)
    with serve(classifier, workers=1, waiting=1) as address, RemoteClassifier(address) as client:
        stub = health_pb2_grpc.HealthStub(open_channel(address))
        watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(3)]
        assert [next(watch).status for watch in watches] == [SERVING] * 3

        with pytest.raises(Overloaded, match="as many calls as it accepts"):
            _ = client.shows

        watches[0].cancel()
        wait_until(lambda: _answers(client))


def _answers(client: RemoteClassifier) -> bool:
    try:
        return bool(client.shows)
    except Overloaded:
        return False


def test_a_call_past_its_deadline_is_not_computed(
    serve: Serve, held: HeldClassifier, clip_of: ClipOf
) -> None:
    built: list[RpcServer] = []
    with (
        serve(held, built=built, workers=1) as address,
        RemoteClassifier(address) as client,
        RemoteClassifier(address, ChannelSettings(timeout_s=0.2)) as hurried,
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(client.classify, clip_of(RED))
        held.begun.acquire()

        with pytest.raises(DeadlineExceeded, match=r"took longer than 0\.2 s"):
            hurried.classify(clip_of(RED))

        wait_until(lambda: built[0].workers.taken == 1)
        held.go.set()
        assert first.result().known
        assert client.classify(clip_of(RED)).known
        assert held.count == 2


def test_a_call_that_is_cancelled_is_not_computed(
    serve: Serve, held: HeldClassifier, clip_of: ClipOf, open_channel: OpenChannel
) -> None:
    built: list[RpcServer] = []
    with serve(held, built=built, workers=1) as address:
        stub = inference_pb2_grpc.InferenceServiceStub(open_channel(address))
        request = request_for(clip_of(RED))
        first = stub.Classify.future(request)
        held.begun.acquire()
        second = stub.Classify.future(request)
        wait_until(lambda: built[0].workers.taken == 2)

        second.cancel()

        wait_until(lambda: built[0].workers.taken == 1)
        held.go.set()
        assert first.result(120).known
        assert held.count == 1


# Shutdown


def test_a_drain_reports_not_serving_and_finishes_running_calls(
    serve: Serve, held: HeldClassifier, clip_of: ClipOf, open_channel: OpenChannel
) -> None:
    with ThreadPoolExecutor() as pool, serve(held, notice_s=0.5) as address:
        channel = open_channel(address)
        inference = inference_pb2_grpc.InferenceServiceStub(channel)
        request = request_for(clip_of(RED))
        call = inference.Classify.future(request)
        held.begun.acquire()
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICES[1]))
        assert next(watch).status == SERVING

        def watch_and_let_go() -> tuple[int, bool]:
            status = next(watch).status
            ready = open_inference_pb2_grpc.GRPCInferenceServiceStub(channel).ServerReady(
                open_inference_pb2.ServerReadyRequest()
            )
            held.go.set()
            return status, ready.ready

        watched = pool.submit(watch_and_let_go)
        start = time.monotonic()

    assert watched.result() == (NOT_SERVING, False)
    assert call.result(60).known
    # An open watch must not delay the shutdown by the 30 seconds of grace.
    assert time.monotonic() - start < 15


def test_calls_before_the_drain_are_answered_and_later_ones_refused(
    serve: Serve, classifier: Classifier, clip_of: ClipOf, open_channel: OpenChannel
) -> None:
    request = request_for(clip_of(RED))
    with serve(classifier, waiting=100) as address:
        stub = inference_pb2_grpc.InferenceServiceStub(open_channel(address))
        stub.GetModel(inference_pb2.GetModelRequest())
        calls = [stub.Classify.future(request) for _ in range(50)]
        calls[0].result(120)

    assert [call.code() for call in calls] == [grpc.StatusCode.OK] * 50
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetModel(inference_pb2.GetModelRequest())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_call_longer_than_the_grace_time_is_cut_off(
    serve: Serve, held: HeldClassifier, clip_of: ClipOf, open_channel: OpenChannel
) -> None:
    with serve(held, grace_s=0.3) as address:
        stub = inference_pb2_grpc.InferenceServiceStub(open_channel(address))
        call = stub.Classify.future(request_for(clip_of(RED)))
        held.begun.acquire()

    assert call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


# Servers that cannot start


@pytest.mark.parametrize("setting", ["port", "metrics_port"])
def test_a_port_in_use_is_refused(serve: Serve, classifier: Classifier, setting: str) -> None:
    with serve(classifier) as address:
        port = int(address.rpartition(":")[2])

        with pytest.raises(CannotServe, match="in use"), serve(classifier, **{setting: port}):
            pass


def test_an_address_of_another_machine_is_refused(classifier: Classifier) -> None:
    settings = ServerSettings(host="192.0.2.1", port=0)  # reserved for documentation, RFC 5737

    with (
        pytest.raises(CannotServe, match=r"cannot serve at 192\.0\.2\.1:0"),
        serving(lambda: build_pair(settings, classifier, Budget())),
    ):
        pass
