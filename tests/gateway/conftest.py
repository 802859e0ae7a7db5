"""Hosts and gateways of the tests' own, closed when a test ends."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
import uvicorn
from fastapi import FastAPI

from tests.gateway.local_host import Answer, LocalHost


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
        server: to end it.
    """

    url: str
    app: FastAPI
    server: uvicorn.Server


@pytest.fixture
def serve_app() -> Iterator[Callable[[FastAPI], Served]]:
    """A function that serves an application on a free port, in a thread, until the test ends."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: FastAPI) -> Served:
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        running.append((server, thread))
        return Served(f"http://127.0.0.1:{listening.getsockname()[1]}", app, server)

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(60)
