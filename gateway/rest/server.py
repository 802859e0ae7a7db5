"""Runs the REST application with uvicorn: its start, its connections, and its end after SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import math
import resource
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from typing import Any, cast

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.fetch.fetcher import Fetcher
from gateway.library import ServedLibrary
from gateway.pipeline import Pipeline
from gateway.rest.app import create_app
from gateway.rest.limits import CROWDED, LOOPBACK_HOSTS, hold
from gateway.rest.problem import problem
from gateway.settings import RestSettings, Settings, is_loopback
from services.errors import CannotServe, InvalidRequest, os_reason

# Seconds that a client gets to send the head of a request, to read an answer, and to send the rest of a body
# that was answered early. It is what nginx and Apache give for the last of these.
PATIENCE_S = 30.0
SPARE = 64  # connections beyond the limit that still get an answer: that there are too many
OTHER_FILES = 128  # open files beside connections and fetches: the model, logs, channels, libraries
BACKLOG = 2048  # connections that the system queues for this process, uvicorn's own number

_log = logging.getLogger(__name__)


def serve(
    pipeline: Pipeline,
    settings: Settings,
    *,
    host: str,
    port: int,
    library: ServedLibrary | None = None,
    opened: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve REST and the page until SIGTERM or SIGINT, then end as a load balancer needs it.

    First /health/ready fails, for the notice time. Then no new connection is accepted, and requests in
    flight are finished within the grace time.

    Args:
        pipeline: both steps, wherever they compute.
        settings: of REST, of addresses, and the two times of the servers.
        host: name or address to listen at.
        port: 0 is any free one, which is logged.
        library: that the pipeline searches, if it is a file of this machine.
        opened: called with the address of the page on this machine, once connections are accepted.

    Raises:
        CannotServe: the address is in use, or not one of this machine.
    """
    settings = dataclasses.replace(settings, rest=with_hosts(settings.rest, host))
    allow_open_files(settings.rest)
    with listen(host, port) as listening:
        bound = listening.getsockname()[1]
        _log.info("serving", extra={"address": f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}"})
        opened(f"http://{nearby(host, bound)}")
        asyncio.run(_serve(pipeline, settings, library, listening))
        _log.info("stopped")


async def _serve(
    pipeline: Pipeline, settings: Settings, library: ServedLibrary | None, listening: socket.socket
) -> None:
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # this module logs that it starts and ends
    fetch = Fetcher(settings.fetch, arrived=hold)
    app = create_app(pipeline, fetch, settings=settings.rest, library=library)
    server = build_server(app, settings.rest, grace_s=settings.server.grace_s)
    signalled = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled.set)
    ending = asyncio.ensure_future(_end(app, server, signalled, settings.server.notice_s))
    await server.serve(sockets=[listening])
    ending.cancel()
    await fetch.aclose()


async def _end(app: FastAPI, server: uvicorn.Server, signalled: asyncio.Event, notice_s: float) -> None:
    await signalled.wait()
    _log.info("draining")
    app.state.draining = True
    await asyncio.sleep(notice_s)
    server.should_exit = True


def build_server(app: FastAPI, settings: RestSettings, *, grace_s: float = 30.0) -> uvicorn.Server:
    """Make a uvicorn server with limited connections; at its end requests get `grace_s`, at least 1 s."""
    config = uvicorn.Config(
        app,
        http=cast(Any, functools.partial(Connection, most=settings.connections)),
        log_config=None,
        access_log=False,  # Observer logs each request
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=math.ceil(settings.keep_alive_s),
        timeout_graceful_shutdown=max(round(grace_s), 1),
    )
    return _Server(config)


class _Server(uvicorn.Server):
    """Leaves signals to this module: uvicorn raises them again at its end, and so would never exit with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def allow_open_files(settings: RestSettings) -> None:
    """Raise this process's limit of open files to what its connections need, if the system allows it.

    Otherwise the system would refuse connections before `Connection` can close idle ones.
    """
    needed = settings.connections + SPARE + settings.fetches + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):  # macOS reports "unlimited" and means less
            most = soft
    if most < needed:
        _log.warning("too few files may be open for so many connections", extra={"open_files": most})


def with_hosts(settings: RestSettings, host: str) -> RestSettings:
    """Allow the names of this machine, and those of the settings alone, if only this machine can connect."""
    if not is_loopback(host):
        return settings
    here = f"[{host}]" if ":" in host else host
    return dataclasses.replace(settings, allowed_hosts=(*LOOPBACK_HOSTS, here, *settings.allowed_hosts))


def nearby(host: str, port: int) -> str:
    """Return the address at which this machine reaches a server that listens at `host`."""
    here = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
    return f"[{here}]:{port}" if ":" in here else f"{here}:{port}"


@contextlib.contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a listening socket whose connections send what is written at once; raises CannotServe."""
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        raise CannotServe(f"{host}:{port}", os_reason(error)) from error
    with listening:
        # asyncio sets this only on sockets that name TCP as their protocol, and these do not. Without it the
        # second part of an answer waits for the client to acknowledge the first: 40 ms on Linux.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listening


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 connection, with limits.

    uvicorn itself waits without end for the head of a request and for a client that does not read. It closes
    a connection whose client still sends, and then the system's reset overtakes the answer.

    When there are too many connections, the one that has been idle longest is closed. If none is idle, the
    new one is still accepted: health is answered, and a body is refused.

    Args:
        most: connections at the same time, at least 1.
        given: what uvicorn gives.
    """

    transport: asyncio.Transport

    def __init__(self, *given: Any, most: int, **named: Any) -> None:
        super().__init__(*given, **named)
        self._most = most
        self._crowded = False
        self._idle_since = 0.0
        self._patience: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take on a connection, and close another if it is one too many."""
        closing = _LateClose(cast(asyncio.Transport, transport), self._still_sends)
        super().connection_made(cast(asyncio.Transport, closing))
        self._idle_since = self.loop.time()
        if len(self.connections) > self._most:
            self._make_room()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers of a connection that has ended."""
        for timer in (self._patience, self._reading):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle bytes, unless the last answer has been given."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def handle_events(self) -> None:
        """Handle what h11 has parsed; a head that it cannot parse is answered with 400."""
        try:
            super().handle_events()
        except ValueError:  # of a length with more than 4,300 digits, which h11 does not expect
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP with a problem like any other, and close."""
        answer = problem(InvalidRequest("it is not HTTP, or its head is too long"), uuid.uuid4().hex)
        headers = [*answer.raw_headers, (b"connection", b"close")]
        try:
            parts = (h11.Response(status_code=400, headers=headers), h11.Data(data=bytes(answer.body)))
            for part in (*parts, h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
        except h11.LocalProtocolError:  # an answer to an earlier request has begun
            self.transport.abort()
        self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._idle_since = self.loop.time()
        super().on_response_complete()
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle for too long."""
        super().timeout_keep_alive_handler()
        self._watch()

    def pause_writing(self) -> None:
        """Wait for a client that reads slowly, for a limited time."""
        super().pause_writing()
        self._reading = self.loop.call_later(PATIENCE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting: the client reads again."""
        if self._reading is not None:
            self._reading.cancel()
        super().resume_writing()

    def shutdown(self) -> None:
        """End the connection after the answer in progress."""
        if self.transport.is_closing():
            self.transport.abort()
        else:
            super().shutdown()

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _still_sends(self) -> bool:
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def _watch(self) -> None:
        """Limit the time for the rest of a head or body; uvicorn itself closes idle connections."""
        idle = self.timeout_keep_alive_task is not None and not self.transport.is_closing()
        if self._busy or idle:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None
        elif self._patience is None:
            self._patience = self.loop.call_later(PATIENCE_S, self.transport.abort)

    def _make_room(self) -> None:
        idle = [
            other
            for other in cast("set[Connection]", self.connections)
            if other is not self and not other._busy and not other._crowded
        ]
        if idle:
            longest = min(idle, key=lambda other: other._idle_since)
            self.connections.discard(longest)
            longest.transport.abort()
        elif len(self.connections) > self._most + SPARE:
            self.transport.abort()
        else:
            self._crowded = True
            self.app_state = {**self.app_state, CROWDED: True}  # copied into each request


class _LateClose:
    """A transport that is closed only once the client has stopped sending, so that it can read the answer.

    `still_sends` returns whether more is to come from the client that will not be read.
    """

    def __init__(self, transport: asyncio.Transport, still_sends: Callable[[], bool]) -> None:
        self._transport, self._still_sends = transport, still_sends
        self._discarding = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more may be written."""
        return self._discarding or self._transport.is_closing()

    def close(self) -> None:
        """Send the end of the answer; discard what still arrives until the client closes, too."""
        if self.is_closing():
            return
        if self._still_sends():
            self._discarding = True
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()
