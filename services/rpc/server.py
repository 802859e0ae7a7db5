"""One gRPC server: **services and settings** -> health, reflection, metrics, TLS -> SIGTERM -> a drained end.

It is a `grpc.aio` server before a pool of threads. The event loop admits calls, answers health and reflection
even while all threads compute, and learns at once when a caller is gone: then the waiting call's task is
cancelled, and with it its place in the queue. A synchronous server would hold a thread for each call that
waits or watches, and would learn of a lost caller only when the call's turn had come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIServer

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry, start_http_server

from services.errors import CannotServe, UnreadableFile, os_reason
from services.rpc.observer import CallObserver
from services.rpc.settings import ServerSettings, ServerTls
from services.workers import Workers

SETTLE_S = 0.05  # without a new call: then those that arrived before the drain are all in our hands
POLL_S = 0.01  # between looks at what is in flight
MAX_SETTLE_S = 1.0  # of waiting for that, where new calls keep coming
_SERVING = health_pb2.HealthCheckResponse.SERVING

_log = logging.getLogger(__name__)


class RpcServer:
    """A server that services are added to and that is then started, all on one event loop.

    Args:
        settings: how it listens and ends.
        max_message_bytes: of a request; a longer one is refused by gRPC before it is read.

    Attributes:
        workers: where the services compute.
        registry: of the metrics.
    """

    def __init__(self, settings: ServerSettings, *, max_message_bytes: int) -> None:
        self.settings = settings
        self.workers = Workers(settings.workers, settings.waiting)
        self.registry = CollectorRegistry()
        self._observer = CallObserver(self.registry)
        self._health = health.aio.HealthServicer()
        self._names: list[str] = []
        self._draining = False
        self._metrics: WSGIServer | None = None
        self._server = aio.server(
            interceptors=[self._observer],
            options=[
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.max_send_message_length", -1),
                # Without this a second server on the same port starts, and gets half of the calls.
                ("grpc.so_reuseport", 0),
                # Clients may probe an idle connection, though not more often than this.
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
            ],
        )

    @property
    def ready(self) -> bool:
        """Whether calls are welcome."""
        return not self._draining

    def add(self, name: str, register: Callable[[aio.Server], None]) -> None:
        """Add a service by its full name, e.g. "gif_analyzer.v1.PreprocessService"."""
        register(self._server)
        self._names.append(name)

    async def start(self) -> int:
        """Listen, and return the port.

        Raises:
            CannotServe: the address is taken or none, or the certificates are none.
            UnreadableFile: one of the files of TLS.
        """
        settings = self.settings
        address = _join(settings.host, settings.port)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            [*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        for name in self._names:
            await self._health.set(name, _SERVING)
        try:
            if settings.tls is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, _credentials(settings.tls, address))
        except RuntimeError as error:
            raise CannotServe(address, "the address is taken, or not one of this machine") from error
        if settings.metrics_port is not None:
            try:
                self._metrics, _ = start_http_server(
                    settings.metrics_port, settings.host, registry=self.registry
                )
            except OSError as error:
                where = _join(settings.host, settings.metrics_port)
                raise CannotServe(where, os_reason(error)) from error
        await self._server.start()
        _log.info("serving", extra={"address": _join(settings.host, port), "services": self._names})
        return port

    async def drain(self) -> None:
        """Say NOT_SERVING, refuse new calls, let those in flight finish within the grace time, and end."""
        if self._draining:
            return
        self._draining = True
        _log.info("draining", extra={"in_flight": self._observer.in_flight})
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self.settings.notice_s)
        await self._take_in()
        # Refuses new calls from here on. The grace time is kept by us, so that we know what it cuts.
        stopped = asyncio.ensure_future(self._server.stop(2 * self.settings.grace_s + 1))
        await self._finish(stopped)
        unfinished = self._observer.in_flight
        # What is left are such calls, and streams of health and reflection, which would last for ever.
        await self._server.stop(None)
        await stopped
        self.workers.close()
        if self._metrics is not None:
            self._metrics.shutdown()
            self._metrics.server_close()
        _log.info("stopped", extra={"unfinished": unfinished})

    async def _take_in(self) -> None:
        """Wait until no new call has come for a moment.

        gRPC hands calls to us one by one, and once it is told to stop it cancels those that it still holds:
        calls that arrived before the end was known.
        """
        end = time.monotonic() + MAX_SETTLE_S
        begun = -1
        while begun != self._observer.begun and time.monotonic() < end:
            begun = self._observer.begun
            await asyncio.sleep(SETTLE_S)

    async def _finish(self, stopped: asyncio.Future[None]) -> None:
        """Wait until no call is in flight, or nothing at all, or the grace time is over."""
        end = time.monotonic() + self.settings.grace_s
        while self._observer.in_flight and not stopped.done() and time.monotonic() < end:
            await asyncio.sleep(POLL_S)


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
    """Serve beside other work, in a thread of its own, and drain at the end of the block; yields the port.

    Args:
        build: makes the server; it runs on the thread's own event loop.

    Raises:
        CannotServe, UnreadableFile: as `RpcServer.start`, and what `build` raises.
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


def _credentials(tls: ServerTls, address: str) -> grpc.ServerCredentials:
    certificate, key = _read(tls.certificate), _read(tls.key)
    client_ca = None if tls.client_ca is None else _read(tls.client_ca)
    try:  # gRPC would say no more than that it failed
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        if client_ca is not None:
            context.load_verify_locations(tls.client_ca)
    except ssl.SSLError as error:
        why = f"the certificates are none, or do not fit together ({error.reason or error})"
        raise CannotServe(address, why) from error
    return grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=client_ca, require_client_auth=client_ca is not None
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(str(path), os_reason(error)) from error


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
