"""What the tests of training share: drawn shows as GIFs and manifests, and a small network."""

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from tests.support.drawn import draw_gif, draw_shows, write_manifest
from training.data.clips import Clips, load_clips
from training.data.manifest import read_manifest
from training.registry.versions import Registry, RegistrySettings

if TYPE_CHECKING:
    from training.network.backbone import Backbone


@pytest.fixture(scope="module", autouse=True)
def _forget_networks() -> Iterator[None]:
    """Free the networks of a file when it ends: Keras keeps them all, a gigabyte after some files."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
        gc.collect()


@pytest.fixture(scope="session")
def drawn_manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 18 drawn GIFs: three shows, each by three sources."""
    return draw_shows(tmp_path_factory.mktemp("shows"))


@pytest.fixture(scope="session")
def drawn_clips(drawn_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """The drawn GIFs, decoded."""
    return load_clips(read_manifest(drawn_manifest), tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that keeps features for all tests of a session."""
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def small_backbone() -> "Backbone":
    """The smallest network there is, with the same random weights each time."""
    import keras

    from training.network.backbone import load_backbone

    keras.utils.set_random_seed(0)
    return load_backbone("MobileNetV3Small", weights=None)


@pytest.fixture
def gif_of() -> Callable[..., Path]:
    """The function `draw_gif`: path, show, seed, frames -> path."""
    return draw_gif


@pytest.fixture
def manifest_of() -> Callable[..., Path]:
    """The function `write_manifest`: path, lines -> path."""
    return write_manifest


@pytest.fixture
def shows_in() -> Callable[..., Path]:
    """The function `draw_shows`: folder, sources, clips -> path of the manifest."""
    return draw_shows


@pytest.fixture(autouse=True)
def _keep_variables() -> Iterator[None]:
    """Undo what a test does to the environment: MLflow notes there which registry it was told of."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture
def registry(empty_registry: Path, tmp_path: Path) -> Registry:
    """A registry of its own for each test, in a file."""
    path = tmp_path / "registry" / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(empty_registry, path)
    return Registry(RegistrySettings(f"sqlite:///{path}", f"sqlite:///{path}"))
