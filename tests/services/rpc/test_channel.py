from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from gif_analyzer.v1 import inference_pb2_grpc
from grpc import aio

from services.clip import Clip
from services.errors import (
    AnalyzerError,
    CannotServe,
    InternalError,
    Overloaded,
    ServiceError,
    ServiceUnavailable,
    UnreadableFile,
)
from services.inference import Classifier
from services.inference.rpc import SERVICE, InferenceServicer, RemoteClassifier
from services.rpc import channel
from services.rpc.server import RpcServer, serving
from services.rpc.settings import ChannelSettings, ClientTls, ServerSettings, ServerTls
from tests.support.steps import Serve

ClipOf = Callable[..., Clip]

RED = (255, 0, 0)


class Stumbling(InferenceServicer):
    """A service that fails some times with a code or an error before it answers, and counts its calls."""

    def __init__(
        self, server: RpcServer, classifier: Classifier, fault: grpc.StatusCode | AnalyzerError, times: int
    ) -> None:
        super().__init__(server.workers, classifier)
        self.fault, self.times, self.calls = fault, times, 0

    async def Classify(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.calls += 1
        if self.calls <= self.times:
            if isinstance(self.fault, AnalyzerError):
                raise self.fault
            await context.abort(self.fault, "stumbled")
        return await super().Classify(request, context)


@pytest.fixture
def stumble(classifier: Classifier) -> Iterator[Callable[..., tuple[Stumbling, str]]]:
    """Serve one `Stumbling`, given its fault and times; returns it and its address."""
    running = []

    def start(fault: grpc.StatusCode | AnalyzerError, times: int) -> tuple[Stumbling, str]:
        made: list[Stumbling] = []

        def build() -> RpcServer:
            server = RpcServer(ServerSettings(port=0))
            made.append(Stumbling(server, classifier, fault, times))

            def register(to: aio.Server) -> None:
                inference_pb2_grpc.add_InferenceServiceServicer_to_server(made[0], to)

            server.add(SERVICE, register)
            return server

        context = serving(build)
        port = context.__enter__()
        running.append(context)
        return made[0], f"127.0.0.1:{port}"

    yield start
    for context in running:
        context.__exit__(None, None, None)


def test_an_unavailable_service_is_called_again_with_the_whole_clip(
    stumble: Callable[..., tuple[Stumbling, str]], clip_of: ClipOf
) -> None:
    service, address = stumble(grpc.StatusCode.UNAVAILABLE, 3)

    with RemoteClassifier(address) as client:
        assert client.classify(clip_of(RED)).known

    assert service.calls == 4


def test_the_number_of_attempts_is_limited(
    stumble: Callable[..., tuple[Stumbling, str]], clip_of: ClipOf
) -> None:
    service, address = stumble(grpc.StatusCode.UNAVAILABLE, 100)

    with (
        RemoteClassifier(address, ChannelSettings(attempts=2)) as client,
        pytest.raises(ServiceUnavailable, match="stumbled"),
    ):
        client.classify(clip_of(RED))

    assert service.calls == 2


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.ABORTED,
    ],
    ids=lambda code: code.name,
)
def test_other_failures_are_not_retried(
    stumble: Callable[..., tuple[Stumbling, str]], clip_of: ClipOf, code: grpc.StatusCode
) -> None:
    service, address = stumble(code, 100)

    with RemoteClassifier(address) as client, pytest.raises(ServiceError):
        client.classify(clip_of(RED))

    assert service.calls == 1


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that clients would wait, without waiting."""
    waits: list[float] = []
    clock = types.SimpleNamespace(monotonic=lambda: 100 + sum(waits), sleep=waits.append)
    monkeypatch.setattr(channel, "time", clock)
    return waits


def test_an_overloaded_service_is_called_again_after_the_time_that_it_says(
    stumble: Callable[..., tuple[Stumbling, str]], clip_of: ClipOf, waits: list[float]
) -> None:
    service, address = stumble(Overloaded(limit=1, retry_after_s=2), 3)

    with RemoteClassifier(address) as client:
        assert client.classify(clip_of(RED)).known

    assert service.calls == 4
    assert all(2 <= wait <= 2.5 for wait in waits)
    assert len(waits) == 3


@pytest.mark.parametrize(
    ("settings", "calls"),
    [
        (ChannelSettings(attempts=1), 1),
        (ChannelSettings(attempts=3), 3),
        (ChannelSettings(timeout_s=5), 2),  # the next try would come too late
        (ChannelSettings(timeout_s=1), 1),
    ],
    ids=["one attempt", "three attempts", "a deadline within", "a deadline before"],
)
def test_a_service_that_stays_overloaded_is_given_up(
    stumble: Callable[..., tuple[Stumbling, str]],
    clip_of: ClipOf,
    waits: list[float],
    settings: ChannelSettings,
    calls: int,
) -> None:
    service, address = stumble(Overloaded(limit=1, retry_after_s=2.5), 100)

    with RemoteClassifier(address, settings) as client, pytest.raises(Overloaded, match=r"again in 2\.5 s"):
        client.classify(clip_of(RED))

    assert (service.calls, len(waits)) == (calls, calls - 1)


def test_a_server_without_the_service_is_an_internal_error(
    stumble: Callable[..., tuple[Stumbling, str]],
) -> None:
    from services.preprocess.rpc import RemotePreprocess

    _, address = stumble(grpc.StatusCode.OK, 0)

    with RemotePreprocess(address) as client, pytest.raises(InternalError, match="UNIMPLEMENTED"):
        client.decode_gif(b"GIF89a")


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
def test_no_proxy_of_the_environment_is_used(
    serve: Serve, classifier: Classifier, clip_of: ClipOf, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nothing listens there

    with serve(classifier) as address, RemoteClassifier(address, ChannelSettings(attempts=1)) as client:
        assert client.classify(clip_of(RED)).shows


# TLS


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, Path]:
    """Certificates of one authority, as PEM files."""
    made = {}
    for name, issued in {
        "server": authority.issue_cert("localhost"),
        "client": authority.issue_cert("client.example"),
    }.items():
        made[name] = tmp_path / f"{name}.pem"
        made[name].write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        made[f"{name}-key"] = tmp_path / f"{name}-key.pem"
        issued.private_key_pem.write_to_path(made[f"{name}-key"])
    made["ca"] = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(made["ca"])
    return made


def test_a_server_with_tls_refuses_plain_text(
    serve: Serve, classifier: Classifier, clip_of: ClipOf, files: dict[str, Path]
) -> None:
    tls = ServerTls(files["server"], files["server-key"])
    with serve(classifier, tls=tls) as address:
        with RemoteClassifier(address, ChannelSettings(tls=ClientTls(ca=files["ca"]))) as client:
            assert client.classify(clip_of(RED)).known

        with (
            RemoteClassifier(address, ChannelSettings(attempts=1)) as plain,
            pytest.raises(ServiceUnavailable),
        ):
            plain.classify(clip_of(RED))


def test_a_server_of_another_authority_is_not_trusted(
    serve: Serve, classifier: Classifier, clip_of: ClipOf, files: dict[str, Path], tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    settings = ChannelSettings(attempts=1, tls=ClientTls(ca=tmp_path / "other.pem"))

    with (
        serve(classifier, tls=ServerTls(files["server"], files["server-key"])) as address,
        RemoteClassifier(address, settings) as client,
        pytest.raises(ServiceUnavailable, match=r"(?i)certificate.verify.failed"),
    ):
        client.classify(clip_of(RED))


def test_mutual_tls_requires_a_client_certificate(
    serve: Serve, classifier: Classifier, clip_of: ClipOf, files: dict[str, Path]
) -> None:
    tls = ServerTls(files["server"], files["server-key"], client_ca=files["ca"])
    known = ClientTls(files["ca"], files["client"], files["client-key"])
    with serve(classifier, tls=tls) as address:
        with RemoteClassifier(address, ChannelSettings(tls=known)) as client:
            assert client.classify(clip_of(RED)).known

        nameless = ChannelSettings(attempts=1, tls=ClientTls(files["ca"]))
        with RemoteClassifier(address, nameless) as stranger, pytest.raises(ServiceUnavailable):
            stranger.classify(clip_of(RED))


@pytest.mark.parametrize(
    ("certificate", "key", "error", "says"),
    [
        ("ca-key", "server-key", CannotServe, "the certificates are invalid, or do not belong together"),
        ("server", "client-key", CannotServe, "do not belong together"),
        ("missing", "server-key", UnreadableFile, "no such file"),
    ],
    ids=["not a certificate", "key of another certificate", "missing file"],
)
def test_invalid_certificates_are_refused(
    *,
    serve: Serve,
    classifier: Classifier,
    files: dict[str, Path],
    certificate: str,
    key: str,
    error: type[Exception],
    says: str,
) -> None:
    files |= {"ca-key": files["server-key"], "missing": files["ca"].with_name("none.pem")}

    with (
        pytest.raises(error, match=says),
        serve(classifier, tls=ServerTls(files[certificate], files[key])),
    ):
        pass


def test_a_missing_file_of_a_client_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no such file"):
        RemoteClassifier("localhost:1", ChannelSettings(tls=ClientTls(ca=tmp_path / "none.pem")))
