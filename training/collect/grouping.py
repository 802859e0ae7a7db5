"""Groups GIFs that show the same seconds, so that no two parts of a split share them.

`group` does so for a new collection, and sets aside GIFs that two shows claim; `regroup` for a manifest.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from services.errors import os_reason
from training.collect.collection import Entry, Refused
from training.collect.fingerprint import Fingerprint, Pair, near_pairs
from training.data.manifest import Row, read_lines
from training.data.splits import number_components, same
from training.errors import InvalidManifest
from training.files import relative_path, write_csv

UNDER_TWO_SHOWS = "UNDER_TWO_SHOWS"


def group(
    entries: Sequence[Entry], prints: Sequence[Fingerprint]
) -> tuple[tuple[Entry, ...], tuple[Refused, ...]]:
    """Join the groups of GIFs that look the same, and set aside GIFs of two shows.

    Args:
        entries: in any order; entries of one group stay together, and an id may occur under several shows.
        prints: fingerprint of each.

    Returns:
        The usable entries, each with the first name among its joined groups; and those that another show
        has too, as the same file, the same id or a near-duplicate.
    """
    pairs = [(pair.first, pair.second) for pair in near_pairs(prints)]
    for column in ("sha256", "id"):
        pairs += same([getattr(entry, column) for entry in entries])
    others: dict[int, set[str]] = defaultdict(set)
    for pair in pairs:
        for one, other in (pair, pair[::-1]):
            if entries[one].show != entries[other].show:
                others[one].add(f"{entries[other].id} of {entries[other].show}")
    kept, refused = [], []
    for place, (entry, name) in enumerate(
        zip(entries, _joined([entry.group for entry in entries], pairs), strict=True)
    ):
        if place in others:
            message = f"it is the same as {', '.join(sorted(others[place]))}"
            refused.append(Refused(entry.id, entry.show, entry.address, UNDER_TWO_SHOWS, message))
        else:
            kept.append(dataclasses.replace(entry, group=name))
    return tuple(kept), tuple(refused)


def regroup(rows: Sequence[Row], prints: Sequence[Fingerprint]) -> tuple[tuple[Row, ...], tuple[Pair, ...]]:
    """Join the groups of a manifest whose GIFs look the same.

    Returns:
        The rows, in order, each with the first name among its joined groups; and the near-duplicates that
        were in two groups, as positions of rows.
    """
    crossing = tuple(pair for pair in near_pairs(prints) if rows[pair.first].group != rows[pair.second].group)
    names = _joined([row.group for row in rows], [(pair.first, pair.second) for pair in crossing])
    joined = (dataclasses.replace(row, group=name) for row, name in zip(rows, names, strict=True))
    return tuple(joined), crossing


def rewrite_groups(path: Path, out: Path, groups: Sequence[str]) -> None:
    """Write a manifest with other groups; its other columns stay.

    Args:
        path: of a manifest that `read_manifest` accepts.
        out: file to write, perhaps the same; paths of GIFs become relative to another folder of it.
        groups: of each row.
    """
    columns, lines = read_lines(path)
    folder = path.resolve().parent
    for (_, line), group in zip(lines, groups, strict=True):
        if out.resolve().parent != folder:
            line["path"] = relative_path(folder / line["path"].strip(), out.parent)
        line["group"] = group
    try:
        write_csv(out, columns, [[line[name] for name in columns] for _, line in lines])
    except OSError as error:
        raise InvalidManifest(str(out), f"it cannot be written: {os_reason(error)}") from error


def _joined(groups: Sequence[str], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """Return the group of each GIF after joining pairs: the first name among those joined."""
    numbers = number_components(len(groups), [*pairs, *same(groups)]).tolist()
    names: dict[int, str] = {}
    for number, name in zip(numbers, groups, strict=True):
        names[number] = min(names.get(number, name), name)
    return [names[number] for number in numbers]
