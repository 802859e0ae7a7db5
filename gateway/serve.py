"""Servers until they are told to end: **settings, an address** -> gRPC, REST, or both on one machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from gateway.remote import remote
from gateway.rest.server import nearby, serve_rest
from gateway.settings import Settings
from services.inference import Classifier
from services.pair import build_pair
from services.process import log_as_json
from services.rpc.program import run
from services.rpc.server import serving


def serve_grpc(settings: Settings, *, host: str, port: int) -> None:
    """Serve both steps over gRPC until SIGTERM or SIGINT; never returns."""
    server = dataclasses.replace(settings.server, host=host, port=port)
    run(lambda: build_pair(server, _open_classifier(settings), settings.budget))


def serve_both(
    settings: Settings, *, host: str, port: int, grpc_port: int, opened: Callable[[str], None]
) -> None:
    """Serve both steps over gRPC, and REST before them that asks them, until SIGTERM or SIGINT.

    REST ends first, so that what it has begun is still answered by the services. `opened` is called with the
    address of the page.

    Raises:
        CannotServe, ModelError, UnreadableFile: it cannot start.
    """
    log_as_json()
    server = dataclasses.replace(settings.server, host=host, port=grpc_port)
    classifier = _open_classifier(settings)
    with serving(lambda: build_pair(server, classifier, settings.budget)) as bound:
        address = nearby(host, bound)
        pipeline = remote(address, address, channel=settings.channel, budget=settings.budget)
        serve_rest(pipeline, settings, host=host, port=port, opened=opened)


def _open_classifier(settings: Settings) -> Classifier:
    return Classifier(settings.model, threads=settings.threads, early_exit=settings.early_exit)
