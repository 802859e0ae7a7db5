"""A bundle of this project, built once for all tests of delivery: half a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.bundle import Bundle, Target, build_bundle
from delivery.errors import FailedStep, MissingTool
from services.inference import default_model_path
from tests.support.emulator import PYTHON, unpack


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """What `gif-deliver bundle` builds with the packaged model."""
    if not default_model_path().exists():
        pytest.skip("this copy carries no default model")
    try:
        return build_bundle(tmp_path_factory.mktemp("bundle") / "lambda.zip", target=Target(PYTHON))
    except MissingTool as error:
        pytest.skip(error.message)
    except FailedStep as error:
        if "network" in error.message or "connect" in error.message:
            pytest.skip(error.message)
        raise


@pytest.fixture(scope="session")
def task(built: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That bundle, unpacked as Lambda does."""
    return unpack(built.path, tmp_path_factory.mktemp("var"))
