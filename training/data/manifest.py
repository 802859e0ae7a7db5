"""The list of what to train on: **CSV file** -> read_manifest -> **rows: GIF, show, group, source**.

| column | meaning |
|---|---|
| `path` | of the GIF, relative to the manifest |
| `show` | title of the show that it is from |
| `group` | GIFs of one scene share a group: other crops, captions or trims of the same seconds |
| `source` | who published it; optional, each group is its own source without it |
| `kind` | of picture, such as "anime"; optional, the same for all GIFs of a show |

Other columns are left alone. Whether the files exist and are GIFs is found out when they are decoded.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.errors import os_reason
from training.errors import InvalidManifest

REQUIRED = ("path", "show", "group")


@dataclass(frozen=True)
class Row:
    """One GIF of a manifest.

    Attributes:
        path: of the file, resolved against the manifest's folder.
        show: title.
        group: name of the scene; no two parts of a split share one.
        source: name of the publisher; no two folds share one.
        kind: of picture, such as "anime"; "" where the manifest does not say.
        other: whether it is of none of the shows that a model is to know, so that it teaches what is unknown.
    """

    path: Path
    show: str
    group: str
    source: str
    kind: str = ""
    other: bool = False


def read_manifest(path: Path, *, may_be_empty: bool = False) -> tuple[Row, ...]:
    """Read one manifest; one of no lines is taken only where that is said.

    Raises:
        InvalidManifest: the file cannot be read, lacks a column, has a line without a value, names a file
            twice, or has no lines.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = tuple(_rows(path, csv.DictReader(file, strict=True)))
    except OSError as error:
        raise InvalidManifest(str(path), f"it cannot be read: {os_reason(error)}") from error
    except UnicodeDecodeError as error:
        raise InvalidManifest(str(path), "it is not UTF-8 text") from error
    except csv.Error as error:
        raise InvalidManifest(str(path), f"it is not CSV: {error}") from error
    if not rows and not may_be_empty:
        raise InvalidManifest(str(path), "it names no GIF")
    return rows


def read_manifests(paths: Iterable[Path]) -> tuple[Row, ...]:
    """Read several manifests as one; a group or a source of one name is the same in all of them.

    Raises:
        InvalidManifest: as `read_manifest`; also for a file that two of them name.
    """
    rows: list[Row] = []
    named: dict[Path, Path] = {}
    for path in paths:
        for row in read_manifest(path):
            if row.path in named:
                raise InvalidManifest(str(path), f"{row.path.name} is named by {named[row.path]} already")
            named[row.path] = path
            rows.append(row)
    return tuple(rows)


def as_others(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The same rows, as examples of what is none of the shows."""
    return tuple(dataclasses.replace(row, other=True) for row in rows)


def with_kinds(rows: Iterable[Row], kinds: Mapping[str, str]) -> tuple[Row, ...]:
    """Give each row that has no kind the one of its show, where that is given."""
    return tuple(dataclasses.replace(row, kind=row.kind or kinds.get(row.show, "")) for row in rows)


def read_kinds(path: Path | None) -> dict[str, str]:
    """Read the kind of picture by show from a CSV file with the columns `show` and `kind`; None has none.

    Raises:
        InvalidManifest: the file cannot be read, or lacks a column or a value.
    """
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidManifest(str(path), f"it cannot be read: {error}") from error
    kinds = {(line.get("show") or "").strip(): (line.get("kind") or "").strip() for line in lines}
    if not kinds or not all(kinds) or not all(kinds.values()):
        raise InvalidManifest(str(path), "each of its lines must have a show and a kind")
    return kinds


def _rows(path: Path, reader: csv.DictReader[str]) -> Iterable[Row]:
    columns = reader.fieldnames or ()
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise InvalidManifest(str(path), f"it has no column {', '.join(missing)}")
    folder = path.resolve().parent
    seen: dict[Path, int] = {}
    for line in reader:
        values = {column: (line[column] or "").strip() for column in REQUIRED}
        empty = [column for column, value in values.items() if not value]
        if empty:
            raise InvalidManifest(str(path), f"line {reader.line_num} has no {', '.join(empty)}")
        file = folder / values["path"]
        if file in seen:
            raise InvalidManifest(
                str(path), f"line {reader.line_num} names {values['path']}, as line {seen[file]} does"
            )
        seen[file] = reader.line_num
        source = (line.get("source") or "").strip() or values["group"]
        yield Row(file, values["show"], values["group"], source, (line.get("kind") or "").strip())
