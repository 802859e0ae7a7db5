"""Lists the GIFs of an input of batch: a folder, glob, manifest, or prefix in a store.

Sources are yielded one by one: folders are walked, and manifests are read in pieces.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import daft
from daft.exceptions import DaftCoreException
from daft.io import IOConfig

from gateway.fetch.address import is_address
from gateway.files import list_gifs
from services.errors import UnreadableFile
from services.names import is_picture, name_text

STORES = ("s3://", "hf://")
COLUMNS = ("path", "url")  # of a manifest: it has one of them
SHOW = "show"  # column of a manifest with titles
MANIFESTS = (".csv", ".parquet")


class Source(NamedTuple):
    """One GIF of the input."""

    name: str  # path, as `services.names` writes it, or address
    size: int | None = None  # in bytes, if it is known from the listing of a store
    show: str | None = None  # title, from the column `show` of a manifest


def is_stored(name: str) -> bool:
    """Whether a name is an address in a store that Daft reads."""
    return name.startswith(STORES)


def list_sources(given: str, io_config: IOConfig) -> Iterator[Source]:
    """Yield the GIFs of an input, in a stable order if the input has one.

    Raises:
        UnreadableFile: there is no such input, or it is of no supported kind.
    """
    if given.lower().endswith(MANIFESTS):
        return _read_manifest(given, io_config)
    if is_stored(given):
        return _list_store(given, io_config)
    if is_address(given):
        raise UnreadableFile(given, "put addresses into a manifest, or name an s3:// or hf:// prefix")
    found = list_gifs(given)
    if found is None and os.path.isfile(given):  # noqa: PTH113 - a Path would lose how it was written
        found = iter([given])
    if found is None:
        raise UnreadableFile(given, "there is no such folder, glob or manifest")
    return (Source(name_text(name)) for name in found)


def _list_store(prefix: str, io_config: IOConfig) -> Iterator[Source]:
    pattern = prefix if glob.has_magic(prefix) or is_picture(prefix) else f"{prefix.rstrip('/')}/**"
    try:
        for row in daft.from_glob_path(pattern, io_config=io_config).iter_rows():
            if is_picture(row["path"]):
                yield Source(row["path"], row["size"])
    except FileNotFoundError as error:
        raise UnreadableFile(prefix, "there is nothing by this name") from error
    except (DaftCoreException, OSError) as error:
        raise UnreadableFile(prefix, _first_line(error)) from error


def _read_manifest(given: str, io_config: IOConfig) -> Iterator[Source]:
    """Read the column of a manifest; paths in a manifest on this machine are relative to its folder."""
    folder = Path() if is_address(given) else Path(given).parent
    try:
        is_csv = given.lower().endswith(".csv")
        frame = (daft.read_csv if is_csv else daft.read_parquet)(given, io_config=io_config)
        columns = [name for name in COLUMNS if name in frame.column_names]
        if len(columns) != 1:
            found = ", ".join(frame.column_names) or "none"
            raise UnreadableFile(
                given, f"it must have one column named path or url; its columns are: {found}"
            )
        columns += [name for name in frame.column_names if name == SHOW]
        if is_csv:  # else a name that looks like a number would be read as one: 007.0
            text = dict.fromkeys(columns, daft.DataType.string())
            frame = daft.read_csv(given, schema=text, io_config=io_config)
        cells = frame.select(*(frame[name].cast(daft.DataType.string()) for name in columns))
        for batch in cells.to_arrow_iter():
            for name, *show in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                # An empty cell is an input as well: its row has an error.
                path = name_text(str(folder / name)) if name and not is_address(name) else name or ""
                yield Source(path, show=show[0] if show else None)
    except FileNotFoundError as error:
        raise UnreadableFile(given, "there is no such file") from error
    except (DaftCoreException, OSError) as error:
        raise UnreadableFile(given, f"it cannot be read as a manifest: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
