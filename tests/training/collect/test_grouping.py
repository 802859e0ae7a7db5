"""Groups of near-duplicates, none of which is in two parts of a split."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clip import CLIP_FRAMES
from services.preprocess import decode_gif
from tests.support.paths import SHARED
from training.collect.collection import Entry
from training.collect.fingerprint import HASH_BYTES, Fingerprint, fingerprint, near_pairs
from training.collect.grouping import UNDER_TWO_SHOWS, group, regroup
from training.data.manifest import Row, read_manifest
from training.data.splits import folds, holdout
from training.errors import SplitImpossible


def noise(seed: int) -> Fingerprint:
    """The fingerprint of no picture: far from that of any other seed."""
    plain, mirrored = np.random.default_rng(seed).integers(
        0, 256, (2, CLIP_FRAMES, HASH_BYTES), dtype=np.uint8
    )
    return Fingerprint(plain, mirrored, np.ones(CLIP_FRAMES, dtype=bool))


def flipped(print_: Fingerprint) -> Fingerprint:
    return Fingerprint(print_.mirrored, print_.plain, print_.telling)


def entry(id_: str, show: str, *, group: str = "", sha256: str = "") -> Entry:
    digest = sha256 or f"digest of {id_} of {show}"
    return Entry(f"gifs/{id_}.gif", id_, show, "", "", "", "", digest, "", group or id_, "", 1, 1, 1, 1)


def test_copies_are_joined_also_through_others_under_the_first_name():
    entries = [
        entry("c", "Red"),
        entry("b", "Red", group="own"),
        entry("a", "Red", group="own"),
        entry("d", "Red"),
    ]

    kept, aside = group(entries, [noise(1), flipped(noise(1)), noise(2), noise(3)])

    assert aside == ()
    assert [each.group for each in kept] == ["c", "c", "c", "d"]


@pytest.mark.parametrize(
    ("other", "look"),
    [
        (entry("y", "Blue"), flipped(noise(1))),
        (entry("y", "Blue", sha256="digest of x of Red"), noise(2)),
        (entry("x", "Blue"), noise(2)),
    ],
    ids=["a mirrored copy", "the same file", "the same id"],
)
def test_a_gif_of_two_shows_is_of_neither(other, look):
    kept, aside = group([entry("x", "Red"), other, entry("z", "Red")], [noise(1), look, noise(3)])

    assert [each.id for each in kept] == ["z"]
    assert {each.reason for each in aside} == {UNDER_TWO_SHOWS}
    assert aside[0].message == f"it is the same as {other.id} of Blue"
    assert aside[1].message == "it is the same as x of Red"


@st.composite
def collections(draw: st.DrawFn) -> tuple[list[Row], list[Fingerprint]]:
    """Rows of some shows, where copies, plain and mirrored, stand in other groups and under other sources."""
    rows, prints = [], []
    for number in range(draw(st.integers(6, 30))):
        scene, show = draw(st.integers(0, 9)), draw(st.integers(0, 2))
        rows.append(
            Row(
                Path(f"{number}.gif"),
                f"Show {show}",
                f"group {draw(st.integers(0, 15))}",
                f"source {draw(st.integers(0, 8))}",
            )
        )
        look = noise(100 * show + scene)
        prints.append(flipped(look) if draw(st.booleans()) else look)
    return rows, prints


def assert_no_leak(rows: tuple[Row, ...], prints: list[Fingerprint]) -> int:
    """No group and no pair of near-duplicates stands in two parts; returns how many splits there were."""
    splits = 0
    pairs = near_pairs(prints)
    for by in ("group", "source"):
        for seed in range(2):
            for split in (
                lambda by=by, seed=seed: folds(rows, 3, by=by, seed=seed),
                lambda by=by, seed=seed: holdout(rows, 0.2, by=by, seed=seed),
            ):
                try:
                    part = split()
                except SplitImpossible:
                    continue
                splits += 1
                assert len({(row.group, of) for row, of in zip(rows, part.tolist(), strict=True)}) == len(
                    {row.group for row in rows}
                )
                assert all(part[pair.first] == part[pair.second] for pair in pairs)
    return splits


@given(collections())
def test_no_group_and_no_near_duplicate_stands_in_two_splits(collection):
    rows, prints = collection

    joined, crossing = regroup(rows, prints)

    assert_no_leak(joined, prints)
    assert [dataclasses.replace(row, group="") for row in joined] == [
        dataclasses.replace(row, group="") for row in rows
    ]
    assert all(rows[pair.first].group != rows[pair.second].group for pair in crossing)
    assert regroup(joined, prints) == (joined, ())


@given(collections())
def test_grouped_entries_leak_nothing_either(collection):
    rows, prints = collection
    entries = [entry(row.path.stem, row.show, group=row.group) for row in rows]

    kept, aside = group(entries, prints)

    looks = {each.id: look for each, look in zip(entries, prints, strict=True)}
    as_rows = tuple(Row(Path(each.path), each.show, each.group, each.group) for each in kept)
    assert len(kept) + len(aside) == len(entries)
    if kept:
        assert_no_leak(as_rows, [looks[each.id] for each in kept])


def test_without_regrouping_the_proof_fails():
    """So that the tests above can: a copy in a group of its own does stand in another part, for some seed."""
    rows = tuple(Row(Path(f"{n}.gif"), "Show", f"group {n}", f"source {n}") for n in range(12))
    prints = [noise(n // 2) for n in range(12)]

    with pytest.raises(AssertionError):
        assert_no_leak(rows, prints)
    assert assert_no_leak(regroup(rows, prints)[0], prints) == 8


@pytest.mark.corpus
def test_the_real_shows_leak_nothing():
    rows = read_manifest(SHARED / "shows" / "shows.csv")
    prints = [fingerprint(decode_gif(row.path.read_bytes())) for row in rows]

    joined, crossing = regroup(rows, prints)

    assert assert_no_leak(joined, prints) == 8
    assert [(rows[pair.first].group, rows[pair.second].group) for pair in crossing] == [
        ("Game-of-Thrones#063", "Game-of-Thrones#032")
    ]
