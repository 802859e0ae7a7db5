from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES
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


FULL = plain(4, 4, 1)
PART = plain(2, 2, 2)
RESTORED = [Picture(FULL), Picture(PART, disposal=RESTORE), Picture(PART, transparent=0)]
HIDDEN = [Picture(PART), Picture(FULL, disposal=RESTORE), Picture(PART, left=2)]


@pytest.mark.parametrize(
    ("wanted", "pictures", "steps"),
    [
        ({1}, [Picture(PART, left=index) for index in range(4)], [(0, DRAW), (1, SHOW)]),
        (
            {3},
            [Picture(PART), Picture(FULL), Picture(PART), Picture(PART, transparent=1)],
            [(1, DRAW), (2, DRAW), (3, SHOW)],
        ),
        ({2}, [Picture(PART), Picture(FULL, disposal=CLEAR), Picture(PART)], [(1, Action.CLEAR), (2, SHOW)]),
        ({1}, [Picture(PART), Picture(FULL, transparent=0)], [(0, DRAW), (1, SHOW)]),
        ({2}, RESTORED, [(0, DRAW), (2, SHOW)]),
        ({1, 2}, RESTORED, [(0, DRAW), (1, SHOW), (2, SHOW)]),
        ({1, 2}, HIDDEN, [(0, DRAW), (1, SHOW), (2, SHOW)]),
        ({1}, HIDDEN, [(0, DRAW), (1, SHOW)]),
        (
            {3},
            [Picture(FULL), Picture(PART), Picture(PART, disposal=KEEP), Picture(PART, left=2)],
            [(0, DRAW), (2, DRAW), (3, SHOW)],
        ),
    ],
    ids=[
        "frames after the last wanted one",
        "a full opaque frame needs no earlier frames",
        "nor does a frame after a full clear",
        "a transparent full frame needs earlier frames",
        "a restored frame is skipped",
        "a restored frame is wanted",
        "frames before a full restored frame are needed after it",
        "frames before a full restored frame that is wanted",
        "a covered frame is skipped",
    ],
)
def test_a_plan_has_the_fewest_steps(
    wanted: set[int], pictures: list[Picture], steps: list[tuple[int, Action]]
) -> None:
    assert [tuple(step) for step in plan(read(write_gif(4, 4, pictures), Budget()), wanted)] == steps


def test_the_cost_counts_drawn_and_cleared_pixels() -> None:
    container = read(
        write_gif(4, 4, [Picture(FULL), Picture(PART, disposal=CLEAR), Picture(PART, left=1)]), Budget()
    )

    assert cost_pixels(container, plan(container, {2})) == 16 + 4 + 4
    assert cost_pixels(container, plan(container, {0})) == 16
    assert plan(container, set()) == ()


def draw_everything(container: Container, wanted: set[int]) -> dict[int, NDArray[np.uint32]]:
    """Draw every frame up to the last wanted one, as a browser does."""
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
    """Compare the frames of a clip, and its last frame alone; False if the file has no frame."""
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

    assert compared >= 0.75 * len(paths)  # some have no frame


def test_the_plan_changes_no_pixel_of_the_corpus() -> None:
    assert_plan_changes_nothing_of(corpus_files())


@pytest.mark.corpus
@pytest.mark.parametrize("first", range(0, len(REAL), 100))
def test_the_plan_changes_no_pixel_of_real_files(first: int) -> None:
    assert_plan_changes_nothing_of(REAL[first : first + 100])


# The timeline

DELAYS = st.lists(st.integers(0, 65_535).map(lambda hundredths: 10 * hundredths), min_size=1, max_size=60)


def test_ten_equal_frames_are_each_shown_once_at_their_middle() -> None:
    timeline = sample([40] * 10)

    assert timeline.duration_ms == 400
    assert timeline.instants_ms == (20, 60, 100, 140, 180, 220, 260, 300, 340, 380)
    assert timeline.frames == tuple(range(10))


def test_one_frame_is_shown_ten_times() -> None:
    timeline = sample([0])

    assert timeline.duration_ms == 100
    assert timeline.instants_ms == (5, 15, 25, 35, 45, 55, 65, 75, 85, 95)
    assert timeline.frames == (0,) * 10


def test_few_frames_repeat_by_their_share_of_the_time() -> None:
    assert sample([300, 700]).frames == (0, 0, 0, 1, 1, 1, 1, 1, 1, 1)


def test_a_delay_of_ten_ms_or_less_lasts_a_hundred() -> None:
    assert sample([0, 10, 20]).duration_ms == 100 + 100 + 20


def test_a_frame_holds_until_the_instant_it_ends() -> None:
    # Two frames of 50 ms: the fifth and sixth instants are 45 and 55, either side of the change.
    assert sample([50, 50]).frames == (0,) * 5 + (1,) * 5
    # The first instant, at 20 ms, is when the second frame begins.
    assert sample([20, 380]).frames[0] == 1


@given(DELAYS)
def test_instants_are_the_middles_of_ten_equal_parts(delays: list[int]) -> None:
    timeline = sample(delays)

    for part, instant in enumerate(timeline.instants_ms):
        assert 0 <= (part + 0.5) * timeline.duration_ms / CLIP_FRAMES - instant < 1


@given(DELAYS)
def test_each_instant_falls_into_the_time_of_its_frame(delays: list[int]) -> None:
    timeline = sample(delays)
    played = [100 if delay <= 10 else delay for delay in delays]

    assert timeline.duration_ms == sum(played)
    for instant, frame in zip(timeline.instants_ms, timeline.frames, strict=True):
        assert sum(played[:frame]) <= instant < sum(played[: frame + 1])
