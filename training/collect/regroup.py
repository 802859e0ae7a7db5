"""Groups of a manifest joined by looks: **rows, fingerprints** -> **rows by group** -> the manifest anew."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from services.errors import os_reason
from training.collect.fingerprint import Fingerprint, Pair, join, near_pairs
from training.collect.grouping import same
from training.data.manifest import Row
from training.errors import InvalidManifest
from training.files import write_csv


def regroup(rows: Sequence[Row], prints: Sequence[Fingerprint]) -> tuple[tuple[Row, ...], tuple[Pair, ...]]:
    """Join the groups of a manifest that show the same by their looks.

    Returns:
        The rows, in their order, each with the first name among the groups joined; and the pairs of places
        that stood in two groups before.
    """
    crossing = tuple(pair for pair in near_pairs(prints) if rows[pair.first].group != rows[pair.second].group)
    links = [(pair.first, pair.second) for pair in crossing]
    numbers = join(len(rows), [*links, *same([row.group for row in rows])]).tolist()
    names: dict[int, str] = {}
    for number, row in zip(numbers, rows, strict=True):
        names[number] = min(names.get(number, row.group), row.group)
    joined = tuple(
        dataclasses.replace(row, group=names[number]) for number, row in zip(numbers, rows, strict=True)
    )
    return joined, crossing


def rewrite_groups(path: Path, out: Path, groups: Sequence[str]) -> None:
    """Write a manifest with other groups, at once; its other columns stay, paths go from the new place.

    Args:
        path: of a manifest that `read_manifest` takes.
        out: file to write; may be the same.
        groups: of each row.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        lines = list(reader)
        columns = reader.fieldnames or ()
    folder, target = path.resolve().parent, out.resolve().parent
    for line, group in zip(lines, groups, strict=True):
        if target != folder:
            line["path"] = Path(os.path.relpath(folder / line["path"].strip(), target)).as_posix()
        line["group"] = group
    try:
        write_csv(out, columns, [[line[name] for name in columns] for line in lines])
    except OSError as error:
        raise InvalidManifest(str(out), f"it cannot be written: {os_reason(error)}") from error
