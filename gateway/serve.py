"""`gif-analyzer serve`: **options and settings** -> servers that run until they are told to end."""

from __future__ import annotations

import dataclasses

from gateway.settings import Settings
from services.inference import Classifier
from services.pair import build_pair
from services.rpc.program import run


def serve_grpc(settings: Settings, *, host: str, port: int) -> None:
    """Serve both steps over gRPC until SIGTERM or SIGINT; never returns."""
    server = dataclasses.replace(settings.server, host=host, port=port)
    run(lambda: build_pair(server, Classifier(settings.model, threads=settings.threads), settings.budget))
