"""The zip: **a folder** -> names in order, one time, one mode -> **the same bytes for the same files**."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold
MODE = 0o100644  # a regular file that everybody may read, as Lambda needs it
LEVEL = zlib.Z_BEST_COMPRESSION


def write_archive(folder: Path, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Zip every file of a folder; its entries by name, with their sizes."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, wherever this runs: else the mode is ignored
            entry.external_attr = MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name].read_bytes(), compresslevel=LEVEL)
        return {entry.filename: entry for entry in archive.infolist()}
