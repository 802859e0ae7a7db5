"""Puts the contents of a bundle into a folder: pinned wheels, our own source, a model and a library."""

from __future__ import annotations

import csv
import importlib.metadata
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from delivery.bundle.python import Target
from delivery.errors import FailedStep, InvalidLibrary, InvalidModel, MissingTool
from services.errors import LibraryError, ModelError
from services.inference import Classifier, LibraryInfo, ModelInfo

EXTRA = "lambda"  # of pyproject.toml: the packages that the function needs
OWN = ("gateway", "services")
NAME = "gif-analyzer"
MODEL = "services/inference/default.onnx"  # where the function loads it from
LIBRARY = (
    "gateway/bundled.library"  # where the function looks for one: `gateway.lambda_handler.BUNDLED_LIBRARY`
)
SHADOW = "gateway/shadow.onnx"  # for GIF_ANALYZER_SHADOW_MODEL; the function starts in the folder above


@dataclass(frozen=True)
class Package:
    """A package in the folder."""

    name: str  # as in its own metadata
    version: str  # that hashes.txt pins
    files: frozenset[str]  # paths relative to the folder, with / as separator


def gather(
    root: Path,
    folder: Path,
    *,
    model: Path,
    target: Target,
    library: Path | None = None,
    shadow: Path | None = None,
) -> list[Package]:
    """Put wheels, source, a model and a library into a folder; nothing is pruned or compiled yet.

    Args:
        root: of the project, with pyproject.toml and hashes.txt.
        folder: to write to.
        model: an ONNX file.
        target: that the wheels must fit.
        library: of known clips, made with that model; None for none.
        shadow: a challenger's model file, which the function uses if a setting names it; None for none.

    Raises:
        MissingTool: uv is not on this machine.
        FailedStep: there is no wheel of a package for this target, or a wheel has another hash.
        InvalidModel: the function could not load the model.
        InvalidLibrary: the function could not use the library.
    """
    version = check_model(model).version
    packages = [*_install_wheels(root, folder, target), _copy_source(root, folder)]
    shutil.copyfile(model, folder / MODEL)
    packages.append(Package("model", version, frozenset({MODEL})))
    if library is not None:
        version = check_library(library, model).sha256[:12]
        shutil.copyfile(library, folder / LIBRARY)
        packages.append(Package("library", version, frozenset({LIBRARY})))
    if shadow is not None:
        packages.append(Package("challenger", check_model(shadow).version, frozenset({SHADOW})))
        shutil.copyfile(shadow, folder / SHADOW)
    return packages


def check_model(model: Path) -> ModelInfo:
    """Load a model as the function will load it.

    Raises:
        InvalidModel: the function could not load it; says why.
    """
    try:
        return Classifier(model).model
    except ModelError as error:
        raise InvalidModel(str(model), error.message) from error


def check_library(library: Path, model: Path) -> LibraryInfo:
    """Open a library as the function will open it.

    Raises:
        InvalidLibrary: the function could not use it with this model; says why.
    """
    try:
        found = Classifier(model, library=library).library
    except LibraryError as error:
        raise InvalidLibrary(str(library), error.details["why"]) from error
    assert found is not None  # because a library was given
    return found


def _install_wheels(root: Path, folder: Path, target: Target) -> list[Package]:
    """Install wheels only, because a package built here would be for this machine."""
    command = [
        *(_find_uv(), "pip", "install", "--quiet", "--target", str(folder), "--python", sys.executable),
        *("--python-version", target.python, "--python-platform", target.platform),
        *("--only-binary", ":all:", "--no-compile-bytecode", "--link-mode", "copy"),
        *("--require-hashes", "--constraint", str(root / "hashes.txt")),
        *("--requirement", str(root / "pyproject.toml")),
        *("--extra", EXTRA),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedStep("installing the wheels", done.stderr)
    (folder / ".lock").unlink(missing_ok=True)  # left by uv
    return sorted(map(_read_package, folder.glob("*.dist-info")), key=lambda package: package.name.lower())


def _find_uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise MissingTool("uv", "pip install uv")
    return found


def _read_package(information: Path) -> Package:
    name, _, version = information.name.removesuffix(".dist-info").rpartition("-")
    with (information / "RECORD").open(newline="", encoding="utf-8") as record:
        return Package(name, version, frozenset(row[0] for row in csv.reader(record)))


def _copy_source(root: Path, folder: Path) -> Package:
    """Copy the packages that serve, without the packaged model."""
    ignore = shutil.ignore_patterns("__pycache__", "*.onnx")
    for package in OWN:
        shutil.copytree(root / package, folder / package, ignore=ignore)
    version = importlib.metadata.version(NAME)
    # The function reads its version from this metadata, as an installed package does.
    information = folder / f"{NAME.replace('-', '_')}-{version}.dist-info"
    information.mkdir()
    metadata = f"Metadata-Version: 2.4\nName: {NAME}\nVersion: {version}\n"
    (information / "METADATA").write_text(metadata, encoding="utf-8")
    copied = [path for package in (*OWN, information.name) for path in (folder / package).rglob("*")]
    files = (path.relative_to(folder).as_posix() for path in copied if path.is_file())
    return Package(NAME, version, frozenset(files))
