"""Every reason of the catalogue: what makes it, and how it arrives at a plain gRPC client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import onnx
import pytest
from gif_analyzer.v1 import clip_pb2, inference_pb2, inference_pb2_grpc, preprocess_pb2, preprocess_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from open_inference.v2 import open_inference_pb2, open_inference_pb2_grpc

from services.clip import CLIP_BYTES, Clip
from services.errors import DOMAIN, FetchError, RequestError, catalogue
from services.inference import Classifier, Prediction
from services.inference.rpc import RemoteClassifier
from services.pair import build_pair
from services.preprocess import Budget
from services.preprocess.rpc import RemotePreprocess
from services.rpc.server import serving
from services.rpc.settings import ChannelSettings, ServerSettings
from tests.support.models import make_clip, mean_colour_model
from tests.support.paths import ROOT

PROTO = ROOT / "proto"
GOOD = clip_pb2.Clip(frames=bytes(CLIP_BYTES), timestamps_ms=range(10))

# Reasons that no service writes, and why.
NOT_WRITTEN = {
    "UNREADABLE_FILE": "services are given bytes, not files",
    "INVALID_SETTING": "of the program's start",
    "UNKNOWN_SETTING": "of the program's start",
    "CANNOT_SERVE": "of the server's start",
    "SERVICE_UNAVAILABLE": "the client's own: nobody answered",
    "DEADLINE_EXCEEDED": "the client's own: nobody answered in time",
    "MESSAGE_TOO_LARGE": "the client's name for what gRPC itself refuses",
    **{
        reason: "of HTTP's door: a service is given GIFs and clips"
        for reason, kind in catalogue().items()
        if issubclass(kind, FetchError | RequestError)
    },
}


class Faulty(Classifier):
    """A model with a fault: the error is none of the catalogue."""

    def classify(self, clip: Clip, top_k: int = 5, *, exact: bool = False) -> Prediction:
        raise RuntimeError("a secret of the server")


class Held(Classifier):
    """A model that answers when it is let go, and counts what it was asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go = threading.Event()
        self.asked = threading.Semaphore(0)
        self.count = 0

    def classify(self, clip: Clip, top_k: int = 5, *, exact: bool = False) -> Prediction:
        self.count += 1
        self.asked.release()
        assert self.go.wait(30)
        return super().classify(clip, top_k, exact=exact)


def serve_once(classifier: Classifier, **settings: int) -> Iterator[str]:
    """A server of its own for a test."""
    with serving(lambda: build_pair(ServerSettings(port=0, **settings), classifier, Budget())) as port:
        yield f"127.0.0.1:{port}"


def classify(address: str, clip: clip_pb2.Clip = GOOD, top_k: int | None = None) -> grpc.RpcError:
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        inference_pb2_grpc.InferenceServiceStub(channel).Classify(
            inference_pb2.ClassifyRequest(clip=clip, top_k=top_k), timeout=30
        )
    return caught.value


def decode(address: str, gif: bytes, **budget: int) -> grpc.RpcError:
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        preprocess_pb2_grpc.PreprocessServiceStub(channel).DecodeGif(
            preprocess_pb2.DecodeGifRequest(gif=gif, budget=preprocess_pb2.Budget(**budget)), timeout=30
        )
    return caught.value


def infer(address: str, name: str) -> grpc.RpcError:
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        open_inference_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(
            open_inference_pb2.ModelInferRequest(model_name=name), timeout=30
        )
    return caught.value


def broken_model(address: str, gif: bytes, folder: Path) -> grpc.RpcError:
    onnx.save(mean_colour_model(scale=float("inf")), folder / "broken.onnx")
    server = serve_once(Classifier(folder / "broken.onnx"))
    error = classify(next(server))
    server.close()
    return error


def faulty_model(address: str, gif: bytes, folder: Path) -> grpc.RpcError:
    onnx.save(mean_colour_model(), folder / "good.onnx")
    server = serve_once(Faulty(folder / "good.onnx"))
    error = classify(next(server))
    server.close()
    return error


def busy_model(address: str, gif: bytes, folder: Path) -> grpc.RpcError:
    onnx.save(mean_colour_model(), folder / "good.onnx")
    held = Held(folder / "good.onnx")
    server = serve_once(held, workers=1, waiting=0)
    busy = next(server)
    with RemoteClassifier(busy) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.classify, make_clip((255, 0, 0)))
        assert held.asked.acquire(timeout=30)
        error = classify(busy)
        held.go.set()
        assert first.result().known
    server.close()
    return error


REASONS: dict[str, Callable[[str, bytes, Path], grpc.RpcError]] = {
    "NOT_A_GIF": lambda address, gif, folder: decode(address, b"<html>"),
    "CORRUPT_GIF": lambda address, gif, folder: decode(address, gif[:20]),
    "GIF_TOO_LARGE": lambda address, gif, folder: decode(address, gif, max_frames=1),
    "INVALID_CLIP": lambda address, gif, folder: classify(address, clip_pb2.Clip(frames=b"short")),
    "INVALID_ARGUMENT": lambda address, gif, folder: classify(address, top_k=0),
    "MODEL_NOT_FOUND": lambda address, gif, folder: infer(address, "resnet"),
    "MODEL_ERROR": broken_model,
    "INTERNAL_ERROR": faulty_model,
    "OVERLOADED": busy_model,
}


def details_of(error: grpc.RpcError) -> dict[str, object]:
    """The messages in a rich error, by the name of their type."""
    status = rpc_status.from_call(error)
    assert status is not None
    kinds = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
    found = {}
    for detail in status.details:
        [kind] = [kind for kind in kinds if detail.Is(kind.DESCRIPTOR)]
        found[kind.__name__] = message = kind()
        detail.Unpack(message)
    return found


def test_every_reason_is_written_by_a_service_or_cannot_be() -> None:
    assert set(REASONS) | set(NOT_WRITTEN) == set(catalogue())
    assert not set(REASONS) & set(NOT_WRITTEN)


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_arrives_with_its_code_and_its_details(
    address: str, gif: bytes, tmp_path: Path, reason: str
) -> None:
    kind = catalogue()[reason]

    error = REASONS[reason](address, gif, tmp_path)

    assert error.code().name == kind.grpc_code
    info = details_of(error)["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == (reason, DOMAIN)
    restored = kind.restore(error.details(), dict(info.metadata))
    assert all(value in restored.message or value.isdigit() for value in info.metadata.values())


@pytest.mark.parametrize("reason", REASONS)
def test_the_contracts_name_every_reason_with_its_code(reason: str) -> None:
    contracts = "".join(path.read_text("utf-8") for path in PROTO.glob("*/*/*.proto"))

    assert f"{catalogue()[reason].grpc_code} " in contracts
    assert f" {reason} " in contracts


@pytest.mark.parametrize(
    ("clip", "top_k", "field"),
    [
        (clip_pb2.Clip(frames=b"short", timestamps_ms=range(10)), None, "clip.frames"),
        (clip_pb2.Clip(frames=bytes(CLIP_BYTES), timestamps_ms=range(9)), None, "clip.timestamps_ms"),
        (clip_pb2.Clip(), None, "clip.frames"),
        (GOOD, -3, "top_k"),
    ],
)
def test_a_field_at_fault_is_named(address: str, clip: clip_pb2.Clip, top_k: int | None, field: str) -> None:
    details = details_of(classify(address, clip, top_k))

    request = details["BadRequest"]
    assert isinstance(request, error_details_pb2.BadRequest)
    assert [violation.field for violation in request.field_violations] == [field]


def test_an_overloaded_service_says_when_to_try_again(address: str, gif: bytes, tmp_path: Path) -> None:
    retry = details_of(busy_model(address, gif, tmp_path))["RetryInfo"]

    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert 0 < retry.retry_delay.ToTimedelta().total_seconds() < 10


def test_a_fault_keeps_the_secrets_of_the_server(
    address: str, gif: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    error = faulty_model(address, gif, tmp_path)

    assert "a secret of the server" in caplog.text  # that fault, and no other one
    assert "secret" not in str(error)
    assert error.details() == "the service failed: internal error"


def test_a_very_long_name_comes_back_cut(address: str) -> None:
    error = infer(address, "x" * 1_000_000)

    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert len(error.details() or "") < 1000


# What clients raise when nobody answers


def test_a_service_that_is_not_there_is_unavailable() -> None:
    kind = catalogue()["SERVICE_UNAVAILABLE"]

    with (
        RemotePreprocess("127.0.0.1:1", ChannelSettings(attempts=1)) as client,
        pytest.raises(kind, match=r"cannot reach 127\.0\.0\.1:1: "),
    ):
        client.decode_gif(b"GIF89a")


def test_an_answer_that_comes_too_late_is_a_deadline(tmp_path: Path) -> None:
    onnx.save(mean_colour_model(), tmp_path / "good.onnx")
    held = Held(tmp_path / "good.onnx")
    server = serve_once(held)

    with (
        RemoteClassifier(next(server), ChannelSettings(timeout_s=0.2)) as client,
        pytest.raises(catalogue()["DEADLINE_EXCEEDED"], match=r"took longer than 0\.2 s"),
    ):
        client.classify(make_clip((255, 0, 0)))
    held.go.set()
    server.close()


def test_a_message_that_grpc_refuses_is_too_large(classifier: Classifier) -> None:
    with (
        serving(lambda: build_pair(ServerSettings(port=0), classifier, Budget(max_bytes=1000))) as port,
        RemotePreprocess(f"127.0.0.1:{port}") as client,
        pytest.raises(catalogue()["MESSAGE_TOO_LARGE"], match="larger than max"),
    ):
        client.decode_gif(np.random.default_rng(0).bytes(30_000_000))
