"""Groups of near-duplicates, none of which is in two parts of a split."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clip import CLIP_FRAMES
from services.preprocess import decode_gif
from tests.support.paths import SHARED
from tests.support.scenes import draw_scene
from training.collect.collection import Entry
from training.collect.grouping import (
    HASH_BYTES,
    SAME,
    UNDER_TWO_SHOWS,
    Fingerprint,
    fingerprint,
    group,
    near_pairs,
    regroup,
)
from training.data.manifest import Row, read_manifest
from training.data.splits import folds, holdout
from training.errors import SplitImpossible

CHANGES = ("mirrored", "captioned", "trimmed", "small")


@functools.cache
def look(seed: int, *changes: str) -> Fingerprint:
    """The fingerprint of a drawn scene, changed as named."""
    return fingerprint(decode_gif(draw_scene(seed, **dict.fromkeys(changes, True))))


def distances(prints: list[Fingerprint]) -> dict[tuple[int, int], float]:
    """How far each two are, all of them."""
    return {(pair.first, pair.second): pair.distance for pair in near_pairs(prints, limit=1)}


@st.composite
def random_prints(draw: st.DrawFn) -> list[Fingerprint]:
    """Fingerprints of noise, some of them flat in places, some of them twice with a few bits changed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    prints = []
    for _ in range(draw(st.integers(2, 5))):
        plain, mirrored = rng.integers(0, 256, (2, CLIP_FRAMES, HASH_BYTES), dtype=np.uint8)
        telling = rng.random(CLIP_FRAMES) < 0.7
        prints.append(Fingerprint(plain, mirrored, telling if telling.any() else ~telling))
    return prints


@given(random_prints())
def test_a_distance_is_the_same_from_both_sides(prints):
    count = len(prints)

    forth, back = distances(prints), distances(prints[::-1])

    assert forth == {(count - 1 - b, count - 1 - a): distance for (a, b), distance in back.items()}


@given(random_prints(), st.floats(0, 1), st.floats(0, 1))
def test_a_wider_limit_finds_no_fewer_pairs(prints, one, other):
    narrow, wide = sorted((one, other))

    assert set(near_pairs(prints, limit=narrow)) <= set(near_pairs(prints, limit=wide))


@given(random_prints())
def test_a_mirrored_gif_is_as_near_to_its_own_as_a_copy(prints):
    first = prints[0]
    mirrored = Fingerprint(first.mirrored, first.plain, first.telling)

    pairs = near_pairs([first, mirrored, first])

    assert [(pair.first, pair.second, pair.distance) for pair in pairs] == [(0, 1, 0), (0, 2, 0), (1, 2, 0)]


@given(random_prints())
def test_a_fingerprint_is_read_as_it_was_written(prints):
    for each in prints:
        again = Fingerprint.from_bytes(each.to_bytes())

        assert again.to_bytes() == each.to_bytes()
        assert str(again) == str(each)


@pytest.mark.parametrize("change", CHANGES)
def test_copies_of_drawn_scenes_are_near_and_other_scenes_are_not(change):
    seeds = range(5)
    prints = [look(seed) for seed in seeds] + [look(seed, change) for seed in seeds]

    pairs = {(pair.first, pair.second) for pair in near_pairs(prints)}

    assert pairs == {(seed, seed + 5) for seed in seeds}


def test_pairs_are_found_across_blocks():
    strangers = [look(seed) for seed in range(4)]
    many = [strangers[number % 4] for number in range(150)]

    pairs = near_pairs(many)

    assert {(pair.first, pair.second) for pair in pairs} == {
        (a, b) for a in range(150) for b in range(a + 1, 150) if a % 4 == b % 4
    }
    assert max(pair.distance for pair in pairs) <= SAME


def test_no_gifs_have_no_pairs():
    assert near_pairs([]) == ()


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
def test_no_group_and_no_near_duplicate_is_in_two_parts(collection):
    rows, prints = collection

    joined, crossing = regroup(rows, prints)

    assert_no_leak(joined, prints)
    assert [dataclasses.replace(row, group="") for row in joined] == [
        dataclasses.replace(row, group="") for row in rows
    ]
    assert all(rows[pair.first].group != rows[pair.second].group for pair in crossing)
    assert regroup(joined, prints) == (joined, ())


@given(collections())
def test_no_near_duplicate_of_grouped_entries_is_in_two_parts(collection):
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
def test_no_near_duplicate_of_the_real_shows_is_in_two_parts():
    rows = read_manifest(SHARED / "shows" / "shows.csv")
    prints = [fingerprint(decode_gif(row.path.read_bytes())) for row in rows]

    joined, crossing = regroup(rows, prints)

    assert assert_no_leak(joined, prints) == 8
    assert [(rows[pair.first].group, rows[pair.second].group) for pair in crossing] == [
        ("Game-of-Thrones#063", "Game-of-Thrones#032")
    ]
