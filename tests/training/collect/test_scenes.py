"""Scenes found in a drawn video, and cut from it: a shot that comes back makes one group."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.scenes import scene_frames
from training.collect.cut_video import cut_video, find_scenes
from training.data.manifest import read_manifest
from training.errors import InvalidVideo

RATE = 20


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shots of two seconds; the third is the first again."""
    path = tmp_path_factory.mktemp("video") / "shots.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 72, "yuv420p", 2_000_000
        for seed in (1, 2, 1, 3):
            for number in range(2 * RATE):
                picture = np.asarray(scene_frames(seed)[number * 6 // (2 * RATE)])
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def test_scenes_are_found_where_the_video_cuts_and_do_not_touch(video):
    scenes = find_scenes(video)

    assert [(start, round(end, 2)) for start, end in scenes] == [(0, 1.95), (2, 3.95), (4, 5.95), (6, 7.95)]


def test_a_shot_that_comes_back_is_one_group(video, tmp_path):
    rows = cut_video(video, "Drawn", tmp_path, height=72)

    assert read_manifest(tmp_path / "manifest.csv") == rows
    scene_of = {float(row.path.name.split("-")[1]): row.group for row in rows}
    assert scene_of[0] == scene_of[4]
    assert len(set(scene_of.values())) == 3


def test_a_file_without_pictures_is_refused(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")

    with pytest.raises(InvalidVideo, match="it cannot be read as a video"):
        find_scenes(text)
