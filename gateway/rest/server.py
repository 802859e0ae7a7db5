"""The gateway as a program: **a pipeline and settings** -> uvicorn -> SIGTERM -> a drained end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from gateway.fetch.fetcher import Fetcher
from gateway.pipeline import Pipeline
from gateway.rest.app import create_app
from gateway.settings import Settings
from services.errors import CannotServe

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
    config = uvicorn.Config(
        app,
        log_config=None,  # the log is the program's; each request has its line there already
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=max(round(settings.server.grace_s), 1),
    )
    server = _Server(config)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    ending = asyncio.ensure_future(_end(app, server, told, settings.server.notice_s))
    await server.serve(sockets=[listening])
    ending.cancel()
    await fetch.aclose()


async def _end(app: FastAPI, server: uvicorn.Server, told: asyncio.Event, notice_s: float) -> None:
    await told.wait()
    _log.info("draining")
    app.state.draining = True
    await asyncio.sleep(notice_s)
    server.should_exit = True


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
        raise CannotServe(f"{host}:{port}", (error.strerror or str(error)).lower()) from error
    with listening:
        # asyncio sets this only on sockets that name TCP as their protocol, and these do not. Without it the
        # second part of an answer waits for the client to acknowledge the first: 40 ms on Linux.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listening
