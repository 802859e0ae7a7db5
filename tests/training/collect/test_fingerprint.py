"""What looks the same, and what hangs together by it."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clip import CLIP_FRAMES
from services.preprocess import decode_gif
from tests.support.scenes import draw_scene
from training.collect.fingerprint import HASH_BYTES, SAME, Fingerprint, fingerprint, near_pairs

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
def test_copies_of_drawn_scenes_are_near_and_strangers_are_not(change):
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
