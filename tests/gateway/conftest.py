"""Hosts and gateways of the tests' own, closed when a test ends."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator, Mapping

import pytest
from fastapi import FastAPI

from tests.support.local_host import Answer, LocalHost
from tests.support.serving import Served, serving_app


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


@pytest.fixture
def serve_app() -> Iterator[Callable[[FastAPI], Served]]:
    """The function `serving_app`, for any number of applications; each ends with the test."""
    with contextlib.ExitStack() as running:
        yield lambda app: running.enter_context(serving_app(app))
