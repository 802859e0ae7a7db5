"""A bundle of this project, built once for all tests of delivery, which takes half a minute."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from delivery.bundle import Bundle, Target, build_bundle
from delivery.errors import FailedStep, MissingTool
from tests.support.emulator import PYTHON, unpack


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Bundle:
    """The bundle with the packaged model, built once for all test processes."""
    from filelock import FileLock

    own = tmp_path_factory.getbasetemp()
    folder = own if worker_id == "master" else own.parent
    kept = folder / "bundle.pickle"
    with FileLock(folder / "bundle.lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(_build(folder / "lambda.zip")))
        built: Bundle = pickle.loads(kept.read_bytes())
    return built


def _build(path: Path) -> Bundle:
    try:
        return build_bundle(path, target=Target(PYTHON))
    except MissingTool as error:
        pytest.skip(error.message)
    except FailedStep as error:
        if "network" in error.message or "connect" in error.message:
            pytest.skip(error.message)
        raise


@pytest.fixture(scope="session")
def task(built: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that bundle, unpacked as in Lambda."""
    return unpack(built.path, tmp_path_factory.mktemp("var"))
