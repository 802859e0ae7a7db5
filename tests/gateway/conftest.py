"""Hosts of the tests' own, closed when a test ends."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping

import pytest

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
