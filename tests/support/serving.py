"""Serves a gateway application on a real port, in a thread of the tests."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI

from gateway.rest.server import build_server


@dataclass(frozen=True)
class Served:
    """A running gateway."""

    url: str  # http://127.0.0.1:PORT
    app: FastAPI  # the application


async def no_fetch(url: str) -> bytes:
    """What fetches addresses for an application that is given none."""
    raise AssertionError(f"nothing is fetched here: {url}")


@contextlib.contextmanager
def serving_app(app: FastAPI) -> Iterator[Served]:
    """Serve an application on a free port, in a thread, until the end of the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = build_server(app, app.state.settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", app)
    finally:
        server.should_exit = True
        thread.join(60)
