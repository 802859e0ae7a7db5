"""MP4 and WebM, with the extra `video`."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clip import check_clip
from services.errors import CorruptGif, GifTooLarge, NotAGif
from services.preprocess import Budget, decode_gif, render_frames
from tests.support.pictures import assert_clip_or_error
from tests.support.videos import GREEN, KINDS, RED, video

MP4, WEBM = video("mp4"), video("webm")


@pytest.mark.parametrize("kind", KINDS)
def test_a_video_is_sampled_by_its_time(kind: str) -> None:
    file = video(kind)

    clip = decode_gif(file)

    check_clip(clip)
    assert clip.source is not None
    assert (clip.source.format, clip.source.frame_count, clip.source.duration_ms) == (
        KINDS[kind][0],
        20,
        2000,
    )
    assert (clip.source.width, clip.source.height) == (64, 48)
    assert clip.timestamps_ms == tuple(range(100, 2000, 200))
    shown = clip.frames.mean(axis=(1, 2))
    assert np.abs(shown[:5] - RED).max() < 12
    assert np.abs(shown[5:] - GREEN).max() < 12


def test_single_frames_of_a_video_can_be_rendered() -> None:
    shown = list(render_frames(MP4, [3, 9, 10, 19]))

    assert [canvas.shape for canvas in shown] == [(48, 64, 4)] * 4
    assert [int(canvas[..., 0].mean()) > 200 for canvas in shown] == [True, True, False, False]
    assert np.array_equal(next(render_frames(MP4, [9])), shown[1])


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (Budget(max_frames=19), "animation is limited to 19 frames"),
        (Budget(max_canvas_pixels=4 * 64 * 48 - 1), "canvas is limited to 3,071 pixels, this one has 3,072"),
        (Budget(max_decoded_pixels=20 * 64 * 48 - 1), "decoding is limited to 61,439 pixels"),
    ],
)
@pytest.mark.parametrize("file", [MP4, WEBM], ids=["mp4", "webm"])
def test_a_video_over_a_limit_is_refused(file: bytes, budget: Budget, message: str) -> None:
    with pytest.raises(GifTooLarge, match=message):
        decode_gif(file, budget=budget)


def test_a_claimed_number_of_samples_is_limited() -> None:
    at = MP4.index(b"stsz") + 12
    bomb = MP4[:at] + struct.pack(">I", 2_000_000_000) + MP4[at + 4 :]

    with pytest.raises(GifTooLarge, match="samples is limited to 50,000 samples, this one has 2,000,000,000"):
        decode_gif(bomb)


@pytest.mark.parametrize(("file", "kind"), [(MP4, "MP4"), (WEBM, "WebM")])
def test_a_video_without_a_complete_frame_is_corrupt(file: bytes, kind: str) -> None:
    with pytest.raises(CorruptGif, match=f"corrupt {kind}: not one frame is whole"):
        decode_gif(file[:80])


def test_without_pyav_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)

    with pytest.raises(NotAGif, match=r"an MP4 video, which needs the extra \[video\]"):
        decode_gif(MP4)


@given(
    st.sampled_from([MP4, WEBM]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_changed_bytes_give_a_clip_or_an_error(file: bytes, changes: list[tuple[float, int]]) -> None:
    data = bytearray(file)
    for place, value in changes:
        data[int(place * len(data))] = value

    assert_clip_or_error(bytes(data), Budget(max_canvas_pixels=1_000_000, max_frames=50))
