from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.clip import CLIP_FRAMES
from services.preprocess.plan import sample

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
