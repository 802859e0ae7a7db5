"""Both steps on one port: **settings, a model and a budget** -> one server with every service."""

from __future__ import annotations

from services.inference.classifier import Classifier
from services.inference.oip import MAX_MESSAGE_BYTES
from services.inference.rpc import add_inference
from services.preprocess.container import Budget
from services.preprocess.rpc import add_preprocess, max_message_bytes
from services.rpc.server import RpcServer
from services.rpc.settings import ServerSettings


def build_pair(settings: ServerSettings, classifier: Classifier, budget: Budget) -> RpcServer:
    """Make the server, on the event loop that will run it."""
    longest = max(MAX_MESSAGE_BYTES, max_message_bytes(budget))
    server = RpcServer(settings, max_message_bytes=longest)
    add_preprocess(server, budget)
    add_inference(server, classifier)
    return server
