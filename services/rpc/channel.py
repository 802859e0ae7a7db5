"""The client's side: **a method and a request** -> deadline, tries, keepalive -> **its answer**."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.errors import ServiceUnavailable, UnreadableFile, os_reason
from services.rpc.settings import ChannelSettings, ClientTls
from services.rpc.status import from_rpc_error

Request_contra = TypeVar("Request_contra", contravariant=True)
Response_co = TypeVar("Response_co", covariant=True)
Request = TypeVar("Request")
Response = TypeVar("Response")

# A call can be tried again only while gRPC still holds its request: 256 KiB unless we ask for more, and a
# clip alone has 1.5 MB.
RETRY_BUFFER_BYTES = 64 * 1024 * 1024


class Method(Protocol[Request_contra, Response_co]):
    """A unary method of a stub."""

    def __call__(self, request: Request_contra, /, *, timeout: float | None = None) -> Response_co:
        """Ask and wait."""


class Channel:
    """A connection to one service, made at the first call and made again when lost; threads may share it.

    Args:
        address: HOST:PORT, or any name that gRPC resolves.
        settings: how to ask.

    Raises:
        UnreadableFile: one of the files of TLS.
    """

    def __init__(self, address: str, settings: ChannelSettings) -> None:
        self.address = address
        self._timeout_s = settings.timeout_s
        options = [
            ("grpc.service_config", json.dumps(_service_config(settings))),
            ("grpc.per_rpc_retry_buffer_size", RETRY_BUFFER_BYTES),
            ("grpc.max_send_message_length", -1),  # the server knows its limit and says so
            ("grpc.max_receive_message_length", -1),
            ("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.enable_http_proxy", 0),  # a proxy of the environment is not meant for our own services
        ]
        if settings.tls is None:
            self.grpc = grpc.insecure_channel(address, options)
        else:
            self.grpc = grpc.secure_channel(address, _credentials(settings.tls), options)

    def call(self, method: Method[Request, Response], request: Request) -> Response:
        """Ask within the deadline.

        Raises:
            AnalyzerError: what the service says, as a local function would raise it, or a `ServiceError`.
        """
        try:
            return method(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise from_rpc_error(error, service=self.address, timeout_s=self._timeout_s) from error

    def check(self, service: str) -> None:
        """Return when a service says that it serves, as gRPC's health protocol has it.

        Raises:
            ServiceUnavailable: it says that it does not.
            ServiceError: it gave no answer.
        """
        request = health_pb2.HealthCheckRequest(service=service)
        check = health_pb2_grpc.HealthStub(self.grpc).Check  # type: ignore[attr-defined]  # its types lack it
        response = self.call(check, request)
        if response.status != health_pb2.HealthCheckResponse.SERVING:
            status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
            raise ServiceUnavailable(self.address, f"it says {status}")

    def close(self) -> None:
        """End the connection."""
        self.grpc.close()


def _service_config(settings: ChannelSettings) -> dict[str, object]:
    """Say what is tried again: https://github.com/grpc/proposal/blob/master/A6-client-retries.md."""
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
    return grpc.ssl_channel_credentials(_read(tls.ca), _read(tls.key), _read(tls.certificate))


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(str(path), os_reason(error)) from error
