"""Hosts and gateways of the tests' own, closed when a test ends."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
import uvicorn
from fastapi import FastAPI

from tests.support.local_host import Answer, LocalHost


@pytest.fixture
def open_host() -> Iterator[Callable[..., LocalHost]]:
    """A function that starts a host: what it answers at each path, its certificate, its first bytes."""
    hosts: list[LocalHost] = []

    def start(
        answers: Mapping[str, Answer] = {}, *, tls: ssl.SSLContext | None = None, greeting: bytes = b""
    ) -> LocalHost:
        hosts.append(LocalHost(answers, tls=tls, greeting=greeting))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


@dataclass(frozen=True)
class Served:
    """A gateway that really listens.

    Attributes:
        url: where, http://127.0.0.1:PORT.
        app: what answers there.
    """

    url: str
    app: FastAPI


@contextlib.contextmanager
def serving_app(app: FastAPI) -> Iterator[Served]:
    """Serve an application on a free port, in a thread, until the end of the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", app)
    finally:
        server.should_exit = True
        thread.join(60)


@pytest.fixture
def serve_app() -> Iterator[Callable[[FastAPI], Served]]:
    """The function `serving_app`, for any number of applications; each ends with the test."""
    with contextlib.ExitStack() as running:
        yield lambda app: running.enter_context(serving_app(app))
