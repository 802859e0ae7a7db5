"""Builds the zip: packages, pruning, byte-code, and an archive that is the same for the same files."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from delivery.bundle.packages import OWN, Package, check_library, check_model, gather
from delivery.bundle.prune import Pruned, prune, read_rules
from delivery.bundle.python import Target, compile_sources, find_python
from delivery.errors import BundleTooLarge, MissingTool
from services.inference import LibraryInfo, ModelInfo, default_model_path

ROOT = Path(__file__).parents[2]
ZIPPED_LIMIT = 50 * 2**20  # 52,428,800 bytes: Lambda's limit of an upload; more needs S3, which costs
UNZIPPED_LIMIT = 250 * 2**20  # 262,144,000 bytes: Lambda says MB and counts MiB
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold
DEFAULT_TARGET = Target()
MODE = 0o100644  # a regular file that everybody may read, as Lambda requires


@dataclass(frozen=True)
class Size:
    """The size of one package."""

    name: str
    version: str
    files: int
    unzipped_bytes: int  # of its files
    zipped_bytes: int  # of the contents of its entries


@dataclass(frozen=True)
class Bundle:
    """A zip that was written."""

    path: Path  # of the zip
    sha256: str  # of the zip, hexadecimal
    zipped_bytes: int  # of the whole zip
    unzipped_bytes: int  # of its files
    target: Target  # that it is for
    model: ModelInfo  # that it holds
    library: LibraryInfo | None  # that it holds
    sizes: list[Size]  # of its packages, the largest first
    pruned: list[Pruned]  # what was left out


def build_bundle(
    out: Path,
    *,
    model: Path | None = None,
    library: Path | None = None,
    shadow: Path | None = None,
    target: Target = DEFAULT_TARGET,
    say: Callable[[str], None] = lambda step: None,
) -> Bundle:
    """Build the bundle. Only the zip is left, and only if Lambda would accept it.

    Args:
        out: the zip to write; an existing one stays until the new one is complete.
        model: an ONNX file; None is the packaged one.
        library: of known clips, which the function searches; None for none.
        shadow: model file of a challenger to ask beside the model; None for none.
        target: the runtime that it is for.
        say: called with the name of each step that begins.

    Raises:
        DeliveryError: something is missing, invalid or too large.
    """
    if not (ROOT / "hashes.txt").is_file():
        raise MissingTool("the project's source", "bundles are built in a clone of it")
    model = model or default_model_path()
    info = check_model(model)  # invalid input is reported before half a minute is spent
    if shadow is not None:
        check_model(shadow)
    known = check_library(library, model) if library is not None else None
    find_python(target.python)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=out.parent) as work:
        folder, archive = Path(work, "task"), Path(work, "zip")
        folder.mkdir()
        say("installing wheels")
        packages = gather(ROOT, folder, model=model, target=target, library=library, shadow=shadow)
        say("pruning")
        pruned = prune(folder, read_rules())
        say("compiling")
        compile_sources(folder, target.python, keep=OWN)
        say("zipping")
        entries = _write_archive(folder, archive)
        zipped, unzipped = archive.stat().st_size, sum(entry.file_size for entry in entries.values())
        for what, size, limit in (("zipped", zipped, ZIPPED_LIMIT), ("unzipped", unzipped, UNZIPPED_LIMIT)):
            if size > limit:
                raise BundleTooLarge(what, size, limit)
        sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
        archive.replace(out)
    return Bundle(out, sha256, zipped, unzipped, target, info, known, _sizes(entries, packages), pruned)


def _write_archive(folder: Path, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Zip every file of a folder, in the order of the names; return the entries by name."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, on every system: otherwise the mode is ignored
            entry.external_attr = MODE << 16
            content = files[name].read_bytes()
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=zlib.Z_BEST_COMPRESSION)
        return {entry.filename: entry for entry in archive.infolist()}


def _sizes(entries: Mapping[str, zipfile.ZipInfo], packages: Sequence[Package]) -> list[Size]:
    """The size of each package that was not pruned entirely, the largest first."""
    owner = {file: package for package in packages for file in package.files}
    found: dict[Package, list[zipfile.ZipInfo]] = defaultdict(list)
    for name, entry in entries.items():
        found[owner[_source_of(name)]].append(entry)
    sizes = [
        Size(
            package.name,
            package.version,
            len(its),
            sum(entry.file_size for entry in its),
            sum(entry.compress_size for entry in its),
        )
        for package, its in found.items()
    ]
    return sorted(sizes, key=lambda size: (-size.zipped_bytes, size.name))


def _source_of(name: str) -> str:
    """The source that byte-code was compiled from; any other file is its own."""
    path = PurePosixPath(name)
    if path.suffix != ".pyc":
        return name
    folder = path.parent.parent if path.parent.name == "__pycache__" else path.parent
    return (folder / f"{path.name.split('.')[0]}.py").as_posix()
