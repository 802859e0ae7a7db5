"""What takes the room: **entries of a zip, packages** -> **bytes of each, and whether Lambda takes them**."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from delivery.bundle.wheels import Package
from delivery.errors import BundleTooLarge

ZIPPED_LIMIT = 50 * 2**20  # 52,428,800 bytes that Lambda takes directly; more needs S3, which costs
UNZIPPED_LIMIT = 250 * 2**20  # 262,144,000 bytes: Lambda says MB and counts MiB


@dataclass(frozen=True)
class Size:
    """What one package takes.

    Attributes:
        unzipped_bytes: of its files.
        zipped_bytes: of its entries' contents.
    """

    name: str
    version: str
    files: int
    unzipped_bytes: int
    zipped_bytes: int


def size_packages(entries: Mapping[str, zipfile.ZipInfo], packages: Sequence[Package]) -> list[Size]:
    """Add up the entries of each package, the largest first; what is pruned away entirely is not listed."""
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


def check_limits(zipped_bytes: int, unzipped_bytes: int) -> None:
    """Refuse what Lambda would refuse.

    Raises:
        BundleTooLarge: names the limit and by how much.
    """
    if zipped_bytes > ZIPPED_LIMIT:
        raise BundleTooLarge("zipped", zipped_bytes, ZIPPED_LIMIT)
    if unzipped_bytes > UNZIPPED_LIMIT:
        raise BundleTooLarge("unzipped", unzipped_bytes, UNZIPPED_LIMIT)


def _source_of(name: str) -> str:
    """The source that byte-code was made of; everything else is its own."""
    path = PurePosixPath(name)
    if path.suffix != ".pyc":
        return name
    folder = path.parent.parent if path.parent.name == "__pycache__" else path.parent
    return (folder / f"{path.name.split('.')[0]}.py").as_posix()
