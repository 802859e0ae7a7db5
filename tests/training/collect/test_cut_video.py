"""Videos cut into GIFs, by windows and by scenes."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from services.preprocess import decode_gif
from tests.support.scenes import scene_frames
from training.collect.cut_video import FRAMINGS, cut_video, find_scenes
from training.data.manifest import read_manifest
from training.data.splits import components
from training.errors import InvalidOptions, InvalidVideo

RATE = 20  # frames a second


def write_video(path: Path, pictures: Sequence[np.ndarray], **options: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        for name, value in options.items():
            setattr(stream, name, value)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def seconds(tmp_path_factory) -> Path:
    """Six seconds; the brightness tells the second, and each begins with a key frame."""
    pictures = [np.full((64, 128, 3), 20 + 40 * (number // RATE), np.uint8) for number in range(6 * RATE)]
    return write_video(tmp_path_factory.mktemp("video") / "drawn.mp4", pictures, gop_size=RATE)


@pytest.fixture(scope="module")
def shots(tmp_path_factory) -> Path:
    """Four shots of two seconds; the third is the first again."""
    pictures = [
        np.asarray(scene_frames(seed)[number * 6 // (2 * RATE)])
        for seed in (1, 2, 1, 3)
        for number in range(2 * RATE)
    ]
    return write_video(tmp_path_factory.mktemp("video") / "shots.mp4", pictures, bit_rate=2_000_000)


def seconds_of(path: Path) -> list[int]:
    """The second that each frame of a GIF is from."""
    return [round((float(frame.mean()) - 20) / 40) for frame in decode_gif(path.read_bytes()).frames]


def test_gifs_come_from_their_windows_and_the_manifest_lists_them(seconds, tmp_path):
    rows = cut_video(seconds, "Drawn", tmp_path, windows=[(0, 4), (4, 6)], clip_s=2, height=32)

    assert read_manifest(tmp_path / "manifest.csv") == rows
    assert len(rows) == (2 + 1) * len(FRAMINGS)
    assert {row.show for row in rows} == {"Drawn"}
    assert sorted({row.group for row in rows}) == ["drawn#0-4", "drawn#4-6"]
    assert len(set(components(rows, by="group"))) == 2
    whole = [row.path for row in rows if "whole" in row.path.name]
    assert [seconds_of(path) for path in whole] == [[0] * 5 + [1] * 5, [2] * 5 + [3] * 5, [4] * 5 + [5] * 5]
    source = decode_gif(whole[0].read_bytes()).source
    assert (source.width, source.height, source.duration_ms) == (64, 32, 2000)
    square = next(row.path for row in rows if "square" in row.path.name)
    assert decode_gif(square.read_bytes()).source.width == 36


def test_cutting_twice_gives_the_same_bytes(seconds, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        cut_video(seconds, "Drawn", folder, windows=[(1, 3)], clip_s=2)

    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }


def test_scenes_end_where_the_video_cuts_and_do_not_touch(shots):
    scenes = find_scenes(shots)

    assert [(start, round(end, 2)) for start, end in scenes] == [(0, 1.95), (2, 3.95), (4, 5.95), (6, 7.95)]


def test_a_repeated_shot_is_one_group(shots, tmp_path):
    rows = cut_video(shots, "Drawn", tmp_path, height=72)

    assert read_manifest(tmp_path / "manifest.csv") == rows
    scene_of = {float(row.path.name.split("-")[1]): row.group for row in rows}
    assert scene_of[0] == scene_of[4]
    assert len(set(scene_of.values())) == 3


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"windows": [(2, 1)]}, "window must be START-END"),
        ({"windows": [(0, 1)]}, "3 s long at least"),
        ({"windows": [(0, 4), (3, 7)]}, "apart from each other"),
        ({"windows": [(0, 4)], "clip_s": 0.05}, "clip_s must be as long as a frame"),
    ],
)
def test_invalid_settings_are_refused_and_nothing_is_written(seconds, tmp_path, changes, why):
    with pytest.raises(InvalidOptions, match=why):
        cut_video(seconds, "Drawn", tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_videos_that_cannot_be_cut_are_refused(seconds, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")

    for video, windows, why in (
        (seconds, [(4, 9)], r"it ends before second [56]\.\d"),
        (text, [(0, 4)], "cannot be read"),
        (tmp_path / "none.mp4", [(0, 4)], "cannot be read"),
        (text, None, "it cannot be read as a video"),
    ):
        with pytest.raises(InvalidVideo, match=why):
            cut_video(video, "Drawn", tmp_path / "out", windows=windows)
