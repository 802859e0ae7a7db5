"""Hosts and gateways of the tests' own, closed when a test ends."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from fastapi import FastAPI

from gateway.pipeline import Pipeline, local
from tests.support.local_host import Answer, LocalHost
from tests.support.serving import Served, serving_app


@pytest.fixture
def gif(save_gif: Callable[..., Path]) -> bytes:
    """The bytes of a red GIF."""
    return save_gif("red.gif", "red").read_bytes()


@pytest.fixture
def pipeline(model_path: Path) -> Pipeline:
    """Both steps in this process, with the tests' model of colours."""
    return local(model_path)


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
