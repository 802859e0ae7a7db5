"""The timer that takes turns, ratios with their spread, tables, and GIFs to measure with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.harness import gifs
from benchmarks.harness.timing import Ratio, in_turns, time_in_turns
from services.preprocess import decode_gif
from tests.support.paths import ROOT


def test_ways_take_turns_and_another_one_goes_first_in_each_round() -> None:
    done: list[str] = []
    ways = [lambda name=name: done.append(name) or name.lower() for name in "ABC"]

    results = in_turns(ways, 4, first=1)

    assert " ".join(done) == "B C A C A B A B C B C A"
    assert results == [["a"] * 4, ["b"] * 4, ["c"] * 4]


def test_rounds_to_warm_up_do_not_count() -> None:
    done: list[str] = []

    seconds = time_in_turns([lambda: done.append("A"), lambda: done.append("B")], 2, warm_up=3)

    assert len(done) == 10
    assert [len(taken) for taken in seconds] == [2, 2]
    assert all(each >= 0 for taken in seconds for each in taken)


@given(st.lists(st.tuples(st.floats(1e-4, 10), st.floats(1e-4, 10)), min_size=1, max_size=7))
def test_no_ratio_lies_outside_its_spread(rounds: list[tuple[float, float]]) -> None:
    ratio = Ratio.of(*zip(*rounds, strict=True))

    assert ratio.low <= ratio.middle <= ratio.high


def test_a_comment_changes_the_bytes_and_not_the_clip() -> None:
    gif = (ROOT / "examples/meadow.gif").read_bytes()

    for original in (gif, gif.removesuffix(b";")):
        other = gifs.with_comment(original, "request 1")
        assert other != gif
        assert np.array_equal(decode_gif(other).frames, decode_gif(gif).frames)


def test_a_drawing_has_the_requested_size_and_number_of_frames(tmp_path: Path) -> None:
    gifs.draw(tmp_path / "drawn.gif", width=120, frames=12)

    with Image.open(tmp_path / "drawn.gif") as image:
        assert (image.size, image.n_frames) == ((120, 90), 12)


def test_footage_is_labelled_by_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIFS_SHARED", str(tmp_path))
    for show in ("Some-Show", "Other-Show"):
        (tmp_path / "shows" / show).mkdir(parents=True)
        for number in range(4):
            gifs.draw(tmp_path / "shows" / show / f"secret{number}.gif", width=40, frames=2)

    assert list(gifs.real_gifs(3)) == ["real 1", "real 2", "real 3"]
