"""The two steps as local functions, and as services on a real channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import onnx
import pytest

from services.inference import Classifier
from services.inference.rpc import RemoteClassifier
from services.pair import build_pair
from services.preprocess import Budget, decode_gif
from services.preprocess.rpc import RemotePreprocess
from services.rpc.server import serving
from services.rpc.settings import ServerSettings
from tests.support.models import familiar_model
from tests.support.steps import Steps


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mean-colour model with the familiarity of each frame and thresholds of a verdict."""
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(familiar_model(), path)
    return path


@pytest.fixture(scope="session")
def classifier(model_path: Path) -> Classifier:
    return Classifier(model_path)


@pytest.fixture(scope="session")
def address(classifier: Classifier) -> Iterator[str]:
    """The address of both services, for the whole session."""
    with serving(lambda: build_pair(ServerSettings(port=0), classifier, Budget())) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def build_handler() -> Callable[..., Any]:
    """The function that makes the Lambda handler. Its module sets up the log when it is imported."""
    from gateway.lambda_handler import build_handler

    return build_handler


@pytest.fixture
def channel(address: str) -> Iterator[grpc.Channel]:
    """A plain gRPC channel."""
    with grpc.insecure_channel(address) as channel:
        yield channel


@pytest.fixture(params=["local", "remote"])
def steps(request: pytest.FixtureRequest, classifier: Classifier) -> Iterator[Steps]:
    """The two steps as local functions, and as services."""
    if request.param == "local":
        yield Steps(decode_gif, classifier.classify, classifier)
        return
    address = request.getfixturevalue("address")
    with RemotePreprocess(address) as preprocess, RemoteClassifier(address) as remote:
        yield Steps(preprocess.decode_gif, remote.classify, remote)


@pytest.fixture
def gif(save_gif: Callable[..., Path]) -> bytes:
    """A small GIF: half a second of red, half a second of blue."""
    return save_gif("red-blue.gif", "red", "blue").read_bytes()
