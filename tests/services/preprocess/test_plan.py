from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.errors import CorruptGif, GifTooLarge
from services.preprocess.backend import portable
from services.preprocess.container import BrokenFrameError, Budget, Container
from services.preprocess.formats import read
from services.preprocess.plan import Action, Step, cost_pixels, plan, sample
from services.preprocess.render import render
from tests.support.animations import Animation, animations, apngs, webps
from tests.support.gif_writer import CLEAR, KEEP, RESTORE, Picture, plain, write_gif
from tests.support.paths import SHARED, corpus_files, read_table

DRAW, SHOW = Action.DRAW, Action.SHOW


def planned(wanted: set[int], *pictures: Picture) -> list[tuple[int, Action]]:
    return [tuple(step) for step in plan(read(write_gif(4, 4, pictures), Budget()), wanted)]


FULL = plain(4, 4, 1)
PART = plain(2, 2, 2)


def test_frames_after_the_last_wanted_are_left_out() -> None:
    pictures = [Picture(PART, left=index) for index in range(4)]

    assert planned({1}, *pictures) == [(0, DRAW), (1, SHOW)]


def test_a_full_opaque_frame_owes_nothing_to_the_past() -> None:
    assert planned({3}, Picture(PART), Picture(FULL), Picture(PART), Picture(PART, transparent=1)) == [
        (1, DRAW),
        (2, DRAW),
        (3, SHOW),
    ]


def test_nor_does_a_frame_after_a_full_clear() -> None:
    assert planned({2}, Picture(PART), Picture(FULL, disposal=CLEAR), Picture(PART)) == [
        (1, Action.CLEAR),
        (2, SHOW),
    ]


def test_a_transparent_full_frame_owes_everything() -> None:
    assert planned({1}, Picture(PART), Picture(FULL, transparent=0)) == [(0, DRAW), (1, SHOW)]


def test_a_restored_frame_is_skipped_unless_wanted() -> None:
    pictures = [Picture(FULL), Picture(PART, disposal=RESTORE), Picture(PART, transparent=0)]

    assert planned({2}, *pictures) == [(0, DRAW), (2, SHOW)]
    assert planned({1, 2}, *pictures) == [(0, DRAW), (1, SHOW), (2, SHOW)]


def test_what_a_restored_frame_hides_is_still_needed_after_it() -> None:
    pictures = [Picture(PART), Picture(FULL, disposal=RESTORE), Picture(PART, left=2)]

    assert planned({1, 2}, *pictures) == [(0, DRAW), (1, SHOW), (2, SHOW)]
    assert planned({1}, *pictures) == [(0, DRAW), (1, SHOW)]


def test_a_covered_frame_is_skipped() -> None:
    assert planned(
        {3}, Picture(FULL), Picture(PART), Picture(PART, disposal=KEEP), Picture(PART, left=2)
    ) == [
        (0, DRAW),
        (2, DRAW),
        (3, SHOW),
    ]


def test_the_price_counts_pixels_drawn_and_cleared() -> None:
    container = read(
        write_gif(4, 4, [Picture(FULL), Picture(PART, disposal=CLEAR), Picture(PART, left=1)]), Budget()
    )

    assert cost_pixels(container, plan(container, {2})) == 16 + 4 + 4
    assert cost_pixels(container, plan(container, {0})) == 16
    assert plan(container, set()) == ()


def draw_everything(container: Container, wanted: set[int]) -> dict[int, NDArray[np.uint32]]:
    """Decode and dispose of each frame up to the last that is wanted, as a browser does."""
    steps = [Step(index, SHOW) for index in range(max(wanted) + 1)]
    return {index: canvas.copy() for index, canvas in render(container, steps, portable()) if index in wanted}


def assert_plan_changes_nothing(container: Container, wanted: set[int]) -> None:
    everything = draw_everything(container, wanted)
    shown = set()
    for index, canvas in render(container, plan(container, wanted), portable()):
        assert np.array_equal(canvas, everything[index]), f"frame {index}"
        shown.add(index)
    assert shown == wanted


@given(animations(), st.data())
def test_the_plan_changes_no_pixel(animation: Animation, data: st.DataObject) -> None:
    container = read(animation.gif, Budget())
    wanted = data.draw(st.sets(st.integers(0, len(container.frames) - 1), min_size=1))

    assert_plan_changes_nothing(container, wanted)


@given(st.sampled_from([apngs, webps]), st.data())
def test_the_plan_changes_no_pixel_of_pictures(
    kind: Callable[[], st.SearchStrategy[bytes]], data: st.DataObject
) -> None:
    container = read(data.draw(kind()), Budget())
    wanted = data.draw(st.sets(st.integers(0, len(container.frames) - 1), min_size=1))

    assert_plan_changes_nothing(container, wanted)


REAL = [
    SHARED / folder / row["path"]
    for folder, table in (("corpus", "chromium"), ("shows", "shows"), ("unknown", "unknown"))
    for row in read_table(SHARED / folder / f"{table}.csv")
]


def compare_real_file(gif: bytes) -> bool:
    """Compare a clip's frames, and the last of them alone; whether there was anything to compare."""
    try:
        container = read(gif, Budget())
    except (CorruptGif, GifTooLarge):
        return False
    frames = container.frames
    try:
        for _ in container.decode(range(len(frames)), portable(), threads=1):
            pass
    except BrokenFrameError as broken:
        frames = frames[: broken.index]
    if not frames:
        return False
    container = dataclasses.replace(container, frames=frames)
    timeline = sample([frame.delay_ms for frame in frames])
    for wanted in (set(timeline.frames), {timeline.frames[-1]}):
        assert_plan_changes_nothing(container, wanted)
    return True


def assert_plan_changes_nothing_of(paths: Sequence[Path]) -> None:
    compared = sum(compare_real_file(path.read_bytes()) for path in paths)

    assert compared >= 0.75 * len(paths)  # some hold no frame at all


def test_the_plan_changes_no_pixel_of_the_corpus() -> None:
    assert_plan_changes_nothing_of(corpus_files())


@pytest.mark.corpus
@pytest.mark.parametrize("first", range(0, len(REAL), 100))
def test_the_plan_changes_no_pixel_of_real_files(first: int) -> None:
    assert_plan_changes_nothing_of(REAL[first : first + 100])
