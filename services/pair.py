"""Both steps as one gRPC server."""

from __future__ import annotations

from services.inference.classifier import Classifier
from services.inference.rpc import add_inference
from services.preprocess.container import Budget
from services.preprocess.rpc import add_preprocess
from services.rpc.server import RpcServer
from services.rpc.settings import ServerSettings


def build_pair(settings: ServerSettings, classifier: Classifier, budget: Budget) -> RpcServer:
    """Create a server of both services."""
    server = RpcServer(settings)
    add_preprocess(server, budget)
    add_inference(server, classifier)
    return server
