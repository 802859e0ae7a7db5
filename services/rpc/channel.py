"""The base of the gRPC clients: a channel with deadlines, retries, keepalive and TLS."""

from __future__ import annotations

import json
from types import TracebackType
from typing import ClassVar, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.errors import ServiceUnavailable
from services.rpc.settings import DEFAULT_CHANNEL, ChannelSettings, ClientTls, read_pem
from services.rpc.wire import from_rpc_error

Request = TypeVar("Request")
Response = TypeVar("Response")

# gRPC can retry a call only while it holds the whole request. By default it holds 256 KiB; a clip has 1.5 MB.
RETRY_BUFFER_BYTES = 64 * 1024 * 1024


class Client:
    """A client of one service. It connects when it is first called; threads may share it.

    Args:
        address: HOST:PORT, or any name that gRPC resolves.
        settings: deadline, attempts, keepalive, TLS.

    Raises:
        UnreadableFile: a TLS file cannot be read.
    """

    service: ClassVar[str]  # full name, such as "gif_analyzer.v1.PreprocessService"

    def __init__(self, address: str, settings: ChannelSettings = DEFAULT_CHANNEL) -> None:
        self._address = address
        self._timeout_s = settings.timeout_s
        options = [
            ("grpc.service_config", json.dumps(_service_config(settings))),
            ("grpc.per_rpc_retry_buffer_size", RETRY_BUFFER_BYTES),
            ("grpc.max_send_message_length", -1),  # the server checks its own limit and reports it
            ("grpc.max_receive_message_length", -1),
            ("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.enable_http_proxy", 0),  # proxies of the environment are not meant for our own services
        ]
        if settings.tls is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, _credentials(settings.tls), options)

    def check(self) -> None:
        """Return if the service reports SERVING by gRPC's health protocol.

        Raises:
            ServiceUnavailable: it reports something else.
            ServiceError: it did not answer.
        """
        request = health_pb2.HealthCheckRequest(service=self.service)
        check = health_pb2_grpc.HealthStub(self._channel).Check  # type: ignore[attr-defined]  # its types lack it
        response = self._call(check, request)
        if response.status != health_pb2.HealthCheckResponse.SERVING:
            status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
            raise ServiceUnavailable(self._address, f"it says {status}")

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        """Call a method within the deadline.

        Raises:
            AnalyzerError: what the local function would have raised, or a `ServiceError`.
        """
        try:
            return method(request, timeout=self._timeout_s, metadata=metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error, service=self._address, timeout_s=self._timeout_s) from error


def _service_config(settings: ChannelSettings) -> dict[str, object]:
    """Set up retries: https://github.com/grpc/proposal/blob/master/A6-client-retries.md."""
    if settings.attempts < 2:
        return {}
    retry = {
        "maxAttempts": settings.attempts,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return {"methodConfig": [{"name": [{}], "retryPolicy": retry}]}


def _credentials(tls: ClientTls) -> grpc.ChannelCredentials:
    files = [None if path is None else read_pem(path) for path in (tls.ca, tls.key, tls.certificate)]
    return grpc.ssl_channel_credentials(*files)
