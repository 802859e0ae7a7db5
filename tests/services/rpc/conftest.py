"""Servers of both services, and a model that answers when a test lets it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.inference import Classifier
from services.pair import build_pair
from services.preprocess import Budget
from services.rpc.server import RpcServer, serving
from services.rpc.settings import ServerSettings
from tests.support.steps import HeldClassifier, Serve


@pytest.fixture
def held(model_path: Path) -> Iterator[HeldClassifier]:
    """A held model, released at the latest when the test ends."""
    classifier = HeldClassifier(model_path)
    yield classifier
    classifier.go.set()


@pytest.fixture
def classifier(model_path: Path) -> Classifier:
    return Classifier(model_path)


@pytest.fixture
def serve() -> Serve:
    """Serve a classifier with settings during a block; yields the address."""

    @contextlib.contextmanager
    def start(
        classifier: Classifier, *, built: list[RpcServer] | None = None, **settings: Any
    ) -> Iterator[str]:
        def build() -> RpcServer:
            server = build_pair(ServerSettings(**{"port": 0, **settings}), classifier, Budget())
            if built is not None:
                built.append(server)
            return server

        with serving(build) as port:
            yield f"localhost:{port}"

    return start


@pytest.fixture
def open_channel() -> Iterator[Callable[[str], grpc.Channel]]:
    """Open a plain channel that the end of the test closes."""
    with contextlib.ExitStack() as stack:
        yield lambda address: stack.enter_context(grpc.insecure_channel(address))


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
