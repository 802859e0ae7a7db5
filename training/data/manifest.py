"""Reads manifests, the CSV files that list GIFs with their shows.

| column | meaning |
|---|---|
| `path` | of the GIF, relative to the manifest |
| `show` | title of the show that it is from |
| `group` | GIFs of one scene share a group: other crops, captions or trims of the same seconds |
| `source` | its publisher; optional, without it each group is its own source |
| `kind` | of picture, such as "anime"; optional, the same for all GIFs of a show |
| `id` | name of the provider and the GIF's id there; optional |
| `start_ms` | where the GIF begins in the video that it was cut from, in milliseconds; optional |

Other columns are ignored. Whether the files exist and are GIFs is checked when they are decoded.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.errors import os_reason
from services.reading import read_text
from training.errors import InvalidManifest

REQUIRED = ("path", "show", "group")

Line = tuple[int, dict[str, str]]  # number of its last line in the file, and values by column


@dataclass(frozen=True)
class Row:
    """One GIF of a manifest.

    Attributes:
        path: of the file, resolved against the manifest's folder.
        show: title.
        group: name of the scene; no two parts of a split share one.
        source: name of the publisher; no two folds share one.
        kind: of picture, such as "anime"; "" where the manifest does not say.
        other: whether it is of none of the shows, and so an example of what the model must not recognise.
        id: name of the provider and the GIF's id there; "" where the manifest does not say.
        start_ms: where it begins in the video that it was cut from, in milliseconds; 0 where it does not say.
    """

    path: Path
    show: str
    group: str
    source: str
    kind: str = ""
    other: bool = False
    id: str = ""
    start_ms: int = 0


def read_manifest(path: Path, *, may_be_empty: bool = False) -> tuple[Row, ...]:
    """Read one manifest.

    Args:
        path: of the CSV file.
        may_be_empty: whether a manifest without lines is accepted.

    Raises:
        InvalidManifest: the file cannot be read, lacks a column, has a line without a value, names a file
            twice, or has no lines.
    """
    rows = tuple(_rows(path, *read_lines(path)))
    if not rows and not may_be_empty:
        raise InvalidManifest(str(path), "it names no GIF")
    return rows


def read_manifests(paths: Iterable[Path]) -> tuple[Row, ...]:
    """Read several manifests as one; groups and sources of the same name are the same in all of them.

    Raises:
        InvalidManifest: as `read_manifest`; also when two of them name the same file.
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
    """Mark rows as examples of none of the shows."""
    return tuple(dataclasses.replace(row, other=True) for row in rows)


def with_kinds(rows: Iterable[Row], kinds: Mapping[str, str]) -> tuple[Row, ...]:
    """Give each row without a kind the kind of its show, where there is one."""
    return tuple(dataclasses.replace(row, kind=row.kind or kinds.get(row.show, "")) for row in rows)


def read_kinds(path: Path | None) -> dict[str, str]:
    """Read the kind of picture by show from a CSV file with the columns `show` and `kind`.

    Args:
        path: of the file; None returns no kinds.

    Raises:
        InvalidManifest: the file cannot be read, or lacks a column or a value.
    """
    if path is None:
        return {}
    _, lines = read_lines(path)
    kinds = {(line.get("show") or "").strip(): (line.get("kind") or "").strip() for _, line in lines}
    if not kinds or not all(kinds) or not all(kinds.values()):
        raise InvalidManifest(str(path), "each of its lines must have a show and a kind")
    return kinds


def read_lines(path: Path) -> tuple[Sequence[str], list[Line]]:
    """Read the columns and all lines of a CSV file as text.

    Raises:
        InvalidManifest: the file cannot be read, is too long, or is not CSV in UTF-8.
    """
    try:
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
        lines = [(reader.line_num, line) for line in reader]
        return reader.fieldnames or (), lines
    except OSError as error:
        raise InvalidManifest(str(path), f"it cannot be read: {os_reason(error)}") from error
    except ValueError as error:
        raise InvalidManifest(str(path), str(error)) from error
    except csv.Error as error:
        raise InvalidManifest(str(path), f"it is not CSV: {error}") from error


def _rows(path: Path, columns: Sequence[str], lines: Iterable[Line]) -> Iterator[Row]:
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise InvalidManifest(str(path), f"it has no column {', '.join(missing)}")
    folder = path.resolve().parent
    seen: dict[Path, int] = {}
    for number, line in lines:
        values = {column: (line[column] or "").strip() for column in REQUIRED}
        empty = [column for column, value in values.items() if not value]
        if empty:
            raise InvalidManifest(str(path), f"line {number} has no {', '.join(empty)}")
        file = folder / values["path"]
        if file in seen:
            raise InvalidManifest(
                str(path), f"line {number} names {values['path']}, as line {seen[file]} does"
            )
        seen[file] = number
        source = (line.get("source") or "").strip() or values["group"]
        start = (line.get("start_ms") or "").strip() or "0"
        if not re.fullmatch("[0-9]{1,9}", start):
            why = f"start_ms of line {number} must be a number of milliseconds, it is {start[:30]}"
            raise InvalidManifest(str(path), why)
        yield Row(
            file,
            values["show"],
            values["group"],
            source,
            (line.get("kind") or "").strip(),
            id=(line.get("id") or "").strip(),
            start_ms=int(start),
        )
