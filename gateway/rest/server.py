"""The gateway as a program: **a pipeline and settings** -> uvicorn -> SIGTERM -> a drained end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from gateway.fetch.fetcher import Fetcher
from gateway.pipeline import Pipeline
from gateway.rest.app import create_app
from gateway.rest.connection import SPARE, Connection
from gateway.rest.settings import RestSettings
from gateway.settings import Settings
from services.errors import CannotServe, os_reason

OTHER_FILES = 128  # beside connections and fetches: the model, logs, channels to services, libraries
BACKLOG = 2048  # connections that the system holds for us, uvicorn's own number

_log = logging.getLogger(__name__)


def serve_rest(
    pipeline: Pipeline,
    settings: Settings,
    *,
    host: str,
    port: int,
    opened: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve REST and the page until SIGTERM or SIGINT, then end as a load balancer needs it.

    First /health/ready says no, for the notice time; then no new connection is taken, and what is in flight
    is finished within the grace time.

    Args:
        pipeline: both steps, wherever they compute.
        settings: of the gateway, of addresses, and the two times of the servers.
        host: name or address to listen at.
        port: 0 is any free one, told in the log.
        opened: called with the address of the page on this machine, once connections are taken.

    Raises:
        CannotServe: the address is taken, or not one of this machine.
    """
    allow_open_files(settings.rest)
    with listen(host, port) as listening:
        bound = listening.getsockname()[1]
        _log.info("serving", extra={"address": f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}"})
        opened(f"http://{nearby(host, bound)}")
        asyncio.run(_serve(pipeline, settings, listening))
        _log.info("stopped")


async def _serve(pipeline: Pipeline, settings: Settings, listening: socket.socket) -> None:
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # that it starts and ends is told here
    fetch = Fetcher(settings.fetch)
    app = create_app(pipeline, fetch, settings=settings.rest)
    server = build_server(app, settings.rest, grace_s=settings.server.grace_s)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    ending = asyncio.ensure_future(_end(app, server, told, settings.server.notice_s))
    await server.serve(sockets=[listening])
    ending.cancel()
    await fetch.aclose()


def build_server(app: FastAPI, settings: RestSettings, *, grace_s: float = 30.0) -> uvicorn.Server:
    """Put uvicorn before an application, with limits for its connections.

    Args:
        app: what answers.
        settings: `connections` and `keep_alive_s`.
        grace_s: seconds for what is in flight when it is told to end; at least one is given.
    """
    config = uvicorn.Config(
        app,
        http=cast(Any, functools.partial(Connection, most=settings.connections)),
        log_config=None,  # the log is the program's; each request has its line there already
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=math.ceil(settings.keep_alive_s),
        timeout_graceful_shutdown=max(round(grace_s), 1),
    )
    return _Server(config)


async def _end(app: FastAPI, server: uvicorn.Server, told: asyncio.Event, notice_s: float) -> None:
    await told.wait()
    _log.info("draining")
    app.state.draining = True
    await asyncio.sleep(notice_s)
    server.should_exit = True


def allow_open_files(settings: RestSettings) -> None:
    """Let this process open as many files as its connections take: often it may raise its limit itself.

    Without that the system would refuse connections before `Connection` can make room for new ones.
    """
    needed = settings.connections + SPARE + settings.fetches + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError):  # macOS says "unlimited" and means less
            most = soft
    if most < needed:
        _log.warning("too few files may be open for so many connections", extra={"open_files": most})


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn's own raises them again at its end, and so would never end with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def nearby(host: str, port: int) -> str:
    """Write the address under which this machine reaches what listens at a host."""
    here = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
    return f"[{here}]:{port}" if ":" in here else f"{here}:{port}"


@contextlib.contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that connections come to, which send what is written at once.

    Raises:
        CannotServe: nobody can listen there.
    """
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
