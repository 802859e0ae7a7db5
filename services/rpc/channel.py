"""The base of the gRPC clients: a channel with deadlines, retries, keepalive and TLS."""

from __future__ import annotations

import json
import random
import time
from types import TracebackType
from typing import ClassVar, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services import tracing
from services.errors import ServiceUnavailable
from services.rpc.settings import DEFAULT_CHANNEL, ChannelSettings, ClientTls, read_pem
from services.rpc.wire import from_rpc_error, read_retry_delay_s

Request = TypeVar("Request")
Response = TypeVar("Response")

# gRPC can retry a call only while it holds the whole request. By default it holds 256 KiB; a clip has 1.5 MB.
RETRY_BUFFER_BYTES = 64 * 1024 * 1024
JITTER = 0.25  # most that is added at random to the time after which a service asks to be called again


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
        self._timeout_s, self._attempts = settings.timeout_s, settings.attempts
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
        """Call a method within the deadline, and within the current trace.

        gRPC itself retries UNAVAILABLE. An error with a RetryInfo, which is OVERLOADED, is retried here after
        the time that it says, because gRPC does not read it.

        Raises:
            AnalyzerError: what the local function would have raised, or a `ServiceError`.
        """
        end = time.monotonic() + self._timeout_s
        rpc = f"{self.service}/{type(request).__name__.removesuffix('Request')}"
        with tracing.step(rpc, "client", {"rpc.system": "grpc", "rpc.method": rpc}):
            for left in reversed(range(self._attempts)):
                try:
                    return method(
                        request, timeout=end - time.monotonic(), metadata=(*metadata, *tracing.outgoing())
                    )
                except grpc.RpcError as error:
                    delay_s = read_retry_delay_s(error)
                    # Not all at the same time: those that were refused together would be refused again.
                    wait_s = None if delay_s is None else delay_s * random.uniform(1, 1 + JITTER)
                    if not left or wait_s is None or time.monotonic() + wait_s >= end:
                        raise from_rpc_error(
                            error, service=self._address, timeout_s=self._timeout_s
                        ) from error
                time.sleep(wait_s)
        raise AssertionError("there is at least one attempt")


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
