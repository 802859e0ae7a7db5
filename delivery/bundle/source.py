"""Everything of our own: **services, gateway, a model** -> **the same places in a folder**."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

from delivery.bundle.wheels import Package
from delivery.errors import InvalidModel
from services.errors import ModelError
from services.inference import Classifier, ModelInfo

OWN = ("gateway", "services")
NAME = "gif-analyzer"
MODEL = "services/inference/default.onnx"  # where the function looks for it


def copy_source(root: Path, folder: Path) -> Package:
    """Copy what serves, without its model."""
    for package in OWN:
        shutil.copytree(
            root / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.onnx")
        )
    version = importlib.metadata.version(NAME)
    # So that the function can say its version, as an installed one does.
    information = folder / f"{NAME.replace('-', '_')}-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {NAME}\nVersion: {version}\n", encoding="utf-8"
    )
    copied = [path for package in (*OWN, information.name) for path in (folder / package).rglob("*")]
    files = (path.relative_to(folder).as_posix() for path in copied if path.is_file())
    return Package(NAME, version, frozenset(files))


def check_model(model: Path) -> ModelInfo:
    """Load a model as the function will load it, and say what it is.

    Raises:
        InvalidModel: says why the function could not load it.
    """
    try:
        return Classifier(model).model
    except ModelError as error:
        raise InvalidModel(str(model), error.message) from error


def copy_model(model: Path, folder: Path) -> Package:
    """Put a checked model where the function looks for it."""
    version = check_model(model).version
    shutil.copyfile(model, folder / MODEL)
    return Package("model", version, frozenset({MODEL}))
