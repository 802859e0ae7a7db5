"""The order of the steps: **a project, a model, a target** -> wheels, source, prune, compile -> **a zip**."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from delivery.bundle.archive import write_archive
from delivery.bundle.bytecode import compile_sources
from delivery.bundle.prune import Pruned, prune, read_rules
from delivery.bundle.sizes import Size, check_limits, size_packages
from delivery.bundle.source import OWN, check_model, copy_model, copy_source
from delivery.bundle.target import Target
from delivery.bundle.wheels import Package, install_wheels
from delivery.errors import MissingTool
from delivery.interpreter import find_python
from services.inference import ModelInfo, default_model_path

ROOT = Path(__file__).parents[2]
DEFAULT_TARGET = Target()


@dataclass(frozen=True)
class Bundle:
    """A zip that was written.

    Attributes:
        path: of the zip.
        sha256: of the zip, in hexadecimal digits.
        zipped_bytes: of the zip, what Lambda takes with what lists its entries.
        unzipped_bytes: of its files.
        target: that it is for.
        model: that it carries.
        sizes: of its packages, the largest first.
        pruned: what was left out.
    """

    path: Path
    sha256: str
    zipped_bytes: int
    unzipped_bytes: int
    target: Target
    model: ModelInfo
    sizes: list[Size]
    pruned: list[Pruned]


def build_bundle(
    out: Path,
    *,
    model: Path | None = None,
    target: Target = DEFAULT_TARGET,
    say: Callable[[str], None] = lambda step: None,
    root: Path = ROOT,
) -> Bundle:
    """Build the bundle. Nothing is left behind but the zip, and that only when Lambda would take it.

    Args:
        out: the zip to write; what was there stays until the new one is whole.
        model: an ONNX file; None is the packaged one.
        target: the runtime that it is for.
        say: told each step as it begins.
        root: of the project.

    Raises:
        DeliveryError: one of the family says what is missing, wrong or too large.
    """
    if not (root / "constraints.txt").is_file():
        raise MissingTool("the project's source", "bundles are built in a clone of it")
    model = model or default_model_path()
    info = check_model(model)  # what may be wrong with the input, before half a minute is spent
    find_python(target.python)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=out.parent) as work:
        folder, archive = Path(work, "task"), Path(work, "zip")
        folder.mkdir()
        say("installing wheels")
        packages = gather(folder, model=model, target=target, root=root)
        say("pruning")
        pruned = prune(folder, read_rules())
        say("compiling")
        compile_sources(folder, target.python, keep=OWN)
        say("zipping")
        entries = write_archive(folder, archive)
        zipped, unzipped = archive.stat().st_size, sum(entry.file_size for entry in entries.values())
        check_limits(zipped, unzipped)
        sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
        archive.replace(out)
    return Bundle(out, sha256, zipped, unzipped, target, info, size_packages(entries, packages), pruned)


def gather(folder: Path, *, model: Path, target: Target, root: Path = ROOT) -> list[Package]:
    """Put wheels, our own source and a model into a folder; nothing is left out or compiled yet."""
    packages = install_wheels(root, folder, target)
    packages.append(copy_source(root, folder))
    packages.append(copy_model(model, folder))
    return packages
