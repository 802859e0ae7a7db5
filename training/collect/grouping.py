"""Groups of what shows the same seconds: **entries, fingerprints** -> **entries by group**, others set aside.

Two GIFs of one group never stand in two parts of a split; a GIF that two shows claim is of neither.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Hashable, Sequence

from training.collect.collection import Entry, Refused
from training.collect.fingerprint import Fingerprint, join, near_pairs

UNDER_TWO_SHOWS = "UNDER_TWO_SHOWS"


def group(
    entries: Sequence[Entry], prints: Sequence[Fingerprint]
) -> tuple[tuple[Entry, ...], tuple[Refused, ...]]:
    """Name groups after what looks the same, and set aside what stands under two shows.

    Args:
        entries: in any order; those that have one group already stay together, and the same id may come
            under several shows.
        prints: of each.

    Returns:
        The entries that may be used, each with its group, named after the first of the names in it; and those
        that another show has as well, the same file, the same id or a copy by its looks.
    """
    pairs = [(pair.first, pair.second) for pair in near_pairs(prints)]
    for column in ("sha256", "id"):
        pairs += same([getattr(entry, column) for entry in entries])
    numbers = join(len(entries), [*pairs, *same([entry.group for entry in entries])])
    names: dict[int, str] = {}
    for number, entry in zip(numbers.tolist(), entries, strict=True):
        names[number] = min(names.get(number, entry.group), entry.group)
    others: dict[int, set[str]] = defaultdict(set)
    for pair in pairs:
        for one, other in (pair, pair[::-1]):
            if entries[one].show != entries[other].show:
                others[one].add(f"{entries[other].id} of {entries[other].show}")
    kept, refused = [], []
    for place, (number, entry) in enumerate(zip(numbers.tolist(), entries, strict=True)):
        if place in others:
            message = f"it is the same as {', '.join(sorted(others[place]))}"
            refused.append(Refused(entry.id, entry.show, entry.address, UNDER_TWO_SHOWS, message))
        else:
            kept.append(dataclasses.replace(entry, group=names[number]))
    return tuple(kept), tuple(refused)


def same(values: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Pairs of places that join all places of one value."""
    first: dict[Hashable, int] = {}
    places = ((first.setdefault(value, place), place) for place, value in enumerate(values))
    return [pair for pair in places if pair[0] != pair[1]]
