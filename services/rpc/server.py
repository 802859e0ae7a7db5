"""A gRPC server with health, reflection, metrics, TLS, a log line for every call, and a graceful shutdown.

It is a `grpc.aio` server in front of a thread pool. The event loop accepts calls, answers health and
reflection even while all threads compute, and notices when a caller disconnects: then it cancels the task of
the waiting call, which frees its place in the queue. A synchronous server would need a thread for each call
that waits or watches, and would notice a lost caller only when the turn of its call comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import ssl
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, cast
from wsgiref.simple_server import WSGIServer

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from services import tracing
from services.errors import AnalyzerError, CannotServe, InternalError, os_reason
from services.rpc.settings import ServerSettings, ServerTls, read_pem
from services.rpc.wire import to_status
from services.workers import Workers

SETTLE_S = 0.05  # seconds without a new call after which every call that arrived before the drain is known
MAX_SETTLE_S = 1.0  # seconds to wait for that while new calls keep arriving
POLL_S = 0.01  # seconds between checks of the calls in flight
SPARE = 64  # calls beside those that compute or wait for it: health, and descriptions of the model
REQUEST_ID = "x-request-id"  # metadata: set by the caller or else by us, and returned with the answer
MAX_REQUEST_ID = 128  # characters
STATUS_DETAILS = "grpc-status-details-bin"  # metadata: where grpc-status expects a google.rpc.Status
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds

Handler = Callable[[Any, aio.ServicerContext[Any, Any]], Awaitable[Any]]

_log = logging.getLogger(__name__)


class RpcServer:
    """A server to which services are added before it starts.

    Args:
        settings: where it listens, how much it accepts, how it shuts down.

    Attributes:
        workers: the threads in which the services compute.
        registry: of the metrics.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.workers = Workers(settings.workers, settings.waiting)
        self.registry = CollectorRegistry()
        self._observer = CallObserver(self.registry, self.workers)
        self._health = health.aio.HealthServicer()
        self._services: dict[str, Callable[[aio.Server], None]] = {}
        self._max_message_bytes = 0
        self._draining = False
        self._metrics: WSGIServer | None = None
        self._server: aio.Server

    @property
    def ready(self) -> bool:
        """Whether the server accepts calls."""
        return not self._draining

    def add(
        self,
        name: str,
        register: Callable[[aio.Server], None],
        *,
        computes: Collection[str] = (),
        max_message_bytes: int = 4 << 20,
    ) -> None:
        """Add a service.

        Args:
            name: full name, such as "gif_analyzer.v1.PreprocessService".
            register: adds the servicer to a server.
            computes: names of its methods that compute in `workers`. A call is refused before its message is
                received, while no further one may wait.
            max_message_bytes: longest request of the service; gRPC's default is 4 MiB. The server accepts the
                largest of all its services, and gRPC refuses longer requests before it reads them.
        """
        self._services[name] = register
        self._observer.computes.update(f"{name}/{method}" for method in computes)
        self._max_message_bytes = max(self._max_message_bytes, max_message_bytes)

    async def start(self) -> int:
        """Listen, and return the port.

        Raises:
            CannotServe: the address is in use or invalid, or the certificates are invalid.
            UnreadableFile: a TLS file cannot be read.
        """
        settings = self.settings
        address = _join(settings.host, settings.port)
        self._server = aio.server(
            interceptors=[self._observer],
            # gRPC refuses more when their headers arrive. Each may hold a message of the greatest length.
            maximum_concurrent_rpcs=settings.workers + settings.waiting + SPARE,
            options=[
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", -1),
                # Otherwise a second server could start on the same port and get half of the calls.
                ("grpc.so_reuseport", 0),
                # Clients may probe an idle connection, but at most every five seconds.
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
            ],
        )
        for name, register in self._services.items():
            register(self._server)
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            [*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        try:
            if settings.tls is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, _credentials(settings.tls, address))
        except RuntimeError as error:
            raise CannotServe(address, "the address is in use, or not one of this machine") from error
        if settings.metrics_port is not None:
            try:
                self._metrics, _ = start_http_server(
                    settings.metrics_port, settings.host, registry=self.registry
                )
            except OSError as error:
                where = _join(settings.host, settings.metrics_port)
                raise CannotServe(where, os_reason(error)) from error
        await self._server.start()
        _log.info("serving", extra={"address": _join(settings.host, port), "services": list(self._services)})
        return port

    async def drain(self) -> None:
        """Report NOT_SERVING, refuse new calls, let running calls finish within the grace time, and stop."""
        if self._draining:
            return
        self._draining = True
        _log.info("draining", extra={"in_flight": self._observer.in_flight})
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self.settings.notice_s)
        await self._accept_pending()
        # Refuses new calls from here on. We measure the grace time ourselves, to know what it cuts off.
        stopped = asyncio.ensure_future(self._server.stop(2 * self.settings.grace_s + 1))
        await self._finish(stopped)
        unfinished = self._observer.in_flight
        # Only those calls are left, and streams of health and reflection, which would never end.
        await self._server.stop(None)
        await stopped
        self.workers.close()
        if self._metrics is not None:
            self._metrics.shutdown()
            self._metrics.server_close()
        _log.info("stopped", extra={"unfinished": unfinished})

    async def _accept_pending(self) -> None:
        """Wait until no new call has come for a moment.

        gRPC hands over calls one by one. When it is stopped, it cancels the calls that it has not yet handed
        over, although they arrived before.
        """
        end = time.monotonic() + MAX_SETTLE_S
        begun = -1
        while begun != self._observer.begun and time.monotonic() < end:
            begun = self._observer.begun
            await asyncio.sleep(SETTLE_S)

    async def _finish(self, stopped: asyncio.Future[None]) -> None:
        """Wait until no call is in flight, the server has stopped, or the grace time is over."""
        end = time.monotonic() + self.settings.grace_s
        while self._observer.in_flight and not stopped.done() and time.monotonic() < end:
            await asyncio.sleep(POLL_S)


class CallObserver(aio.ServerInterceptor):
    """Logs and measures every unary call, and turns exceptions into statuses.

    The streams of health and reflection pass through unseen: they last as long as the client wants.

    Args:
        registry: of the metrics.
        workers: the threads in which the services compute.

    Attributes:
        computes: full names of the methods that compute, such as "gif_analyzer.v1.InferenceService/Classify".
        begun: number of unary calls accepted so far.
        in_flight: number of them whose answer has not been sent yet.
    """

    def __init__(self, registry: CollectorRegistry, workers: Workers) -> None:
        self._workers = workers
        self.computes: set[str] = set()
        self.begun = 0
        self.in_flight = 0
        self._calls = Counter(
            "gif_analyzer_rpc_calls", "Calls that ended", ("rpc", "code"), registry=registry
        )
        self._errors = Counter(
            "gif_analyzer_rpc_errors", "Calls that ended with an error", ("rpc", "reason"), registry=registry
        )
        self._seconds = Histogram(
            "gif_analyzer_rpc_seconds", "Time to an answer", ("rpc",), registry=registry, buckets=_BUCKETS
        )
        self._in_flight = Gauge(
            "gif_analyzer_rpc_in_flight", "Calls that wait or are computed", ("rpc",), registry=registry
        )

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of a unary method."""
        method = await continuation(handler_call_details)
        if method is None or method.unary_unary is None:
            return method
        metadata = dict(handler_call_details.invocation_metadata or ())
        request_id = str(metadata.get(REQUEST_ID, ""))[:MAX_REQUEST_ID] or uuid.uuid4().hex
        handler = cast(Handler, method.unary_unary)
        rpc = handler_call_details.method.lstrip("/")

        async def observed(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
            with tracing.receive(
                rpc,
                _values(handler_call_details, tracing.TRACEPARENT),
                _values(handler_call_details, tracing.TRACESTATE),
                recorded=not rpc.startswith("grpc."),  # health checks
                attributes={"rpc.system": "grpc", "rpc.method": rpc},
            ):
                return await self._observe(handler, request, context, rpc, request_id)

        async def refused(_: Any, context: aio.ServicerContext[Any, Any]) -> Any:
            return await self._observe(self._refuse, None, context, rpc, request_id)

        if rpc in self.computes and self._workers.is_full:
            # gRPC receives the messages of a stream when they are read, and these are not.
            return grpc.stream_unary_rpc_method_handler(refused, method.request_deserializer)
        return grpc.unary_unary_rpc_method_handler(
            observed,
            request_deserializer=method.request_deserializer,
            response_serializer=method.response_serializer,
        )

    async def _observe(
        self,
        handler: Handler,
        request: Any,
        context: aio.ServicerContext[Any, Any],
        rpc: str,
        request_id: str,
    ) -> Any:
        start = time.perf_counter()
        code, reason = "OK", ""
        self.begun += 1
        self.in_flight += 1
        # Not in `finally` below, because the answer is sent after it.
        context.add_done_callback(self._done)  # type: ignore[arg-type] # the stubs want a class of theirs
        self._in_flight.labels(rpc).inc()
        try:
            context.set_trailing_metadata(((REQUEST_ID, request_id),))
            return await handler(request, context)
        except AnalyzerError as error:
            code, reason = error.grpc_code, error.reason
            await _abort(context, error, request_id)
        except asyncio.CancelledError:
            left = context.time_remaining()  # seconds; the caller's clock may be a little ahead of ours
            code = "CANCELLED" if left is None or left > 0.01 else "DEADLINE_EXCEEDED"
            raise
        except aio.AbortError:  # from grpc's own health service
            code = _code_name(context)
            raise
        except Exception:
            fault = InternalError()
            code, reason = fault.grpc_code, fault.reason
            _log.exception("a call failed", extra={"rpc": rpc, "request_id": request_id})
            await _abort(context, fault, request_id)
        finally:
            seconds = time.perf_counter() - start
            tracing.current().set({"rpc.response.status_code": code})
            if reason:  # what _abort raises does not have it
                tracing.current().fail(reason)
            self._in_flight.labels(rpc).dec()
            self._calls.labels(rpc, code).inc()
            self._seconds.labels(rpc).observe(seconds)
            if reason:
                self._errors.labels(rpc, reason).inc()
            _log.info(
                "call",
                extra={
                    "rpc": rpc,
                    "code": code,
                    "reason": reason,
                    "duration_ms": round(seconds * 1000, 3),
                    "request_id": request_id,
                    "peer": context.peer(),
                },
            )

    async def _refuse(self, _: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        raise self._workers.overloaded()

    def _done(self, _: aio.ServicerContext[Any, Any]) -> None:
        self.in_flight -= 1


def request_id_of(context: aio.ServicerContext[Any, Any]) -> str:
    """Return the id of the call that a servicer answers, which its observer has set."""
    found = dict(context.trailing_metadata() or ())
    return str(found.get(REQUEST_ID, ""))


async def serve(server: RpcServer) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    signalled = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled.set)
    await server.start()
    await signalled.wait()
    await server.drain()


@contextlib.contextmanager
def serving(build: Callable[[], RpcServer]) -> Iterator[int]:
    """Serve in another thread during the block, and drain at its end; yields the port.

    Args:
        build: creates the server, in the event loop of that thread.

    Raises:
        CannotServe, UnreadableFile: as `RpcServer.start`, and whatever `build` raises.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="rpc-server", daemon=True)
    thread.start()

    async def start() -> tuple[RpcServer, int]:
        server = build()
        return server, await server.start()

    try:
        server, port = asyncio.run_coroutine_threadsafe(start(), loop).result()
        try:
            yield port
        finally:
            asyncio.run_coroutine_threadsafe(server.drain(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _values(details: grpc.HandlerCallDetails, name: str) -> list[str]:
    """Return every value of one name in the metadata of a call."""
    return [str(value) for key, value in details.invocation_metadata or () if key == name]


async def _abort(context: aio.ServicerContext[Any, Any], error: AnalyzerError, request_id: str) -> None:
    status = to_status(error)
    await context.abort(
        grpc.StatusCode[error.grpc_code],
        status.message,
        ((REQUEST_ID, request_id), (STATUS_DETAILS, status.SerializeToString())),
    )


def _code_name(context: aio.ServicerContext[Any, Any]) -> str:
    found = cast(int | grpc.StatusCode, context.code())  # a number, whatever the stubs say
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    return found.name if isinstance(found, grpc.StatusCode) else names.get(found, "UNKNOWN")


def _credentials(tls: ServerTls, address: str) -> grpc.ServerCredentials:
    certificate, key = read_pem(tls.certificate), read_pem(tls.key)
    client_ca = None if tls.client_ca is None else read_pem(tls.client_ca)
    try:  # gRPC would only say that it failed
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        if client_ca is not None:
            context.load_verify_locations(tls.client_ca)
    except ssl.SSLError as error:
        why = f"the certificates are invalid, or do not belong together ({error.reason or error})"
        raise CannotServe(address, why) from error
    return grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=client_ca, require_client_auth=client_ca is not None
    )


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
