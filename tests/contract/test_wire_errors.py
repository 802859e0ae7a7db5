"""Every reason of the catalogue: what causes it, and how a plain gRPC client receives it."""

from __future__ import annotations

import contextlib
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
from services.rpc.settings import ServerSettings
from tests.support.models import make_clip, mean_colour_model
from tests.support.paths import ROOT
from tests.support.steps import HeldClassifier

PROTO = ROOT / "proto"
GOOD = clip_pb2.Clip(frames=bytes(CLIP_BYTES), offsets_ms=range(10))

# Reasons that no service sends, and why.
NOT_WRITTEN = {
    "UNREADABLE_FILE": "services get bytes, not files",
    "INVALID_SETTING": "only when a program starts",
    "UNKNOWN_SETTING": "only when a program starts",
    "LIBRARY_ERROR": "only when a program starts: a service keeps the library that it has read",
    "LIBRARY_READ_ONLY": "only over HTTP: the services change no library",
    "FEEDBACK_CLOSED": "only over HTTP: the services take no feedback",
    "NOT_IN_LIBRARY": "only over HTTP: the services change no library",
    "CANNOT_SERVE": "only when a server starts",
    "SERVICE_UNAVAILABLE": "from the client: no service answered",
    "DEADLINE_EXCEEDED": "from the client: no service answered in time",
    "MESSAGE_TOO_LARGE": "from the client: gRPC itself refused the message",
    **{
        reason: "only over HTTP"
        for reason, kind in catalogue().items()
        if issubclass(kind, FetchError | RequestError)
    },
}


class Faulty(Classifier):
    """A model that raises an unexpected error."""

    def classify(self, clip: Clip, top_k: int = 5, *, exact: bool = False) -> Prediction:
        raise RuntimeError("a secret of the server")


@contextlib.contextmanager
def serve(classifier: Classifier, **settings: int) -> Iterator[str]:
    """Serve both steps during the block; yields the address."""
    with serving(lambda: build_pair(ServerSettings(port=0, **settings), classifier, Budget())) as port:
        yield f"127.0.0.1:{port}"


def refused(address: str, stub: type, method: str, request: object) -> grpc.RpcError:
    """Call a method of a service, and return its error."""
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        getattr(stub(channel), method)(request, timeout=30)
    return caught.value


def classify(address: str, clip: clip_pb2.Clip = GOOD, top_k: int | None = None) -> grpc.RpcError:
    request = inference_pb2.ClassifyRequest(clip=clip, top_k=top_k)
    return refused(address, inference_pb2_grpc.InferenceServiceStub, "Classify", request)


def decode(address: str, gif: bytes, **budget: int) -> grpc.RpcError:
    request = preprocess_pb2.DecodeGifRequest(gif=gif, budget=preprocess_pb2.Budget(**budget))
    return refused(address, preprocess_pb2_grpc.PreprocessServiceStub, "DecodeGif", request)


def infer(address: str, name: str) -> grpc.RpcError:
    request = open_inference_pb2.ModelInferRequest(model_name=name)
    return refused(address, open_inference_pb2_grpc.GRPCInferenceServiceStub, "ModelInfer", request)


def broken_model(_: str, gif: bytes, model: Path) -> grpc.RpcError:
    onnx.save(mean_colour_model(scale=float("inf")), model.with_name("broken.onnx"))
    with serve(Classifier(model.with_name("broken.onnx"))) as address:
        return classify(address)


def faulty_model(_: str, gif: bytes, model: Path) -> grpc.RpcError:
    with serve(Faulty(model)) as address:
        return classify(address)


def busy_model(_: str, gif: bytes, model: Path) -> grpc.RpcError:
    held = HeldClassifier(model)
    with (
        serve(held, workers=1, waiting=0) as address,
        RemoteClassifier(address) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(client.classify, make_clip((255, 0, 0)))
        assert held.begun.acquire(timeout=30)
        error = classify(address)
        held.go.set()
        assert first.result().known
    return error


REASONS: dict[str, Callable[[str, bytes, Path], grpc.RpcError]] = {
    "NOT_A_GIF": lambda address, gif, _: decode(address, b"<html>"),
    "CORRUPT_GIF": lambda address, gif, _: decode(address, gif[:20]),
    "GIF_TOO_LARGE": lambda address, gif, _: decode(address, gif, max_frames=1),
    "INVALID_CLIP": lambda address, gif, _: classify(address, clip_pb2.Clip(frames=b"short")),
    "INVALID_ARGUMENT": lambda address, gif, _: classify(address, top_k=0),
    "MODEL_NOT_FOUND": lambda address, gif, _: infer(address, "resnet"),
    "MODEL_ERROR": broken_model,
    "INTERNAL_ERROR": faulty_model,
    "OVERLOADED": busy_model,
}


def details_of(error: grpc.RpcError) -> dict[str, object]:
    """Return the details of an error by the name of their type."""
    status = rpc_status.from_call(error)
    assert status is not None
    kinds = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
    found = {}
    for detail in status.details:
        [kind] = [kind for kind in kinds if detail.Is(kind.DESCRIPTOR)]
        found[kind.__name__] = message = kind()
        detail.Unpack(message)
    return found


def test_every_reason_is_sent_by_a_service_or_excluded() -> None:
    assert set(REASONS) | set(NOT_WRITTEN) == set(catalogue())
    assert not set(REASONS) & set(NOT_WRITTEN)


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_arrives_with_its_code_and_its_details(
    address: str, gif: bytes, model_path: Path, reason: str
) -> None:
    kind = catalogue()[reason]

    error = REASONS[reason](address, gif, model_path)

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
        (clip_pb2.Clip(frames=b"short", offsets_ms=range(10)), None, "clip.frames"),
        (clip_pb2.Clip(frames=bytes(CLIP_BYTES), offsets_ms=range(9)), None, "clip.offsets_ms"),
        (clip_pb2.Clip(), None, "clip.frames"),
        (GOOD, -3, "top_k"),
    ],
)
def test_an_invalid_field_is_named(address: str, clip: clip_pb2.Clip, top_k: int | None, field: str) -> None:
    details = details_of(classify(address, clip, top_k))

    request = details["BadRequest"]
    assert isinstance(request, error_details_pb2.BadRequest)
    assert [violation.field for violation in request.field_violations] == [field]


def test_an_unexpected_error_is_logged_but_not_sent(
    address: str, gif: bytes, model_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    error = faulty_model(address, gif, model_path)

    assert "a secret of the server" in caplog.text
    assert "secret" not in str(error)
    assert error.details() == "the service failed: internal error"


def test_a_very_long_value_is_cut(address: str) -> None:
    error = infer(address, "x" * 1_000_000)

    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert len(error.details() or "") < 1000


# Errors of the client itself


def test_a_message_that_grpc_refuses_is_too_large(classifier: Classifier) -> None:
    with (
        serving(lambda: build_pair(ServerSettings(port=0), classifier, Budget(max_bytes=1000))) as port,
        RemotePreprocess(f"127.0.0.1:{port}") as client,
        pytest.raises(catalogue()["MESSAGE_TOO_LARGE"], match="larger than max"),
    ):
        client.decode_gif(np.random.default_rng(0).bytes(30_000_000))
