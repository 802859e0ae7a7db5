import av
import numpy as np
import pytest

from services.preprocess import decode_gif
from training.collect.cut_video import FRAMINGS, cut_video
from training.data.manifest import read_manifest
from training.data.splits import components
from training.errors import InvalidOptions, InvalidVideo


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Six seconds at 20 frames a second; brightness tells the second, each begins with a key frame."""
    path = tmp_path_factory.mktemp("video") / "drawn.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=20)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 128, 64, "yuv420p", 20
        for number in range(120):
            picture = np.full((64, 128, 3), 20 + 40 * (number // 20), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def _seconds(path) -> list[int]:
    """The second that each frame of a GIF is from, by its brightness."""
    frames = decode_gif(path.read_bytes()).frames
    return [round((float(frame.mean()) - 20) / 40) for frame in frames]


def test_gifs_come_from_their_windows_and_the_manifest_names_them(video, tmp_path):
    rows = cut_video(video, "Drawn", tmp_path, windows=[(0, 4), (4, 6)], clip_s=2, height=32)
    assert read_manifest(tmp_path / "manifest.csv") == rows
    assert len(rows) == (2 + 1) * len(FRAMINGS)
    assert {row.show for row in rows} == {"Drawn"}
    assert sorted({row.group for row in rows}) == ["drawn#0-4", "drawn#4-6"]
    assert len(set(components(rows, by="group"))) == 2
    whole = [row.path for row in rows if "whole" in row.path.name]
    assert [_seconds(path) for path in whole] == [[0] * 5 + [1] * 5, [2] * 5 + [3] * 5, [4] * 5 + [5] * 5]
    source = decode_gif(whole[0].read_bytes()).source
    assert (source.width, source.height, source.duration_ms) == (64, 32, 2000)
    square = next(row.path for row in rows if "square" in row.path.name)
    assert decode_gif(square.read_bytes()).source.width == 36


def test_cutting_twice_gives_the_same_bytes(video, tmp_path):
    for folder in ("a", "b"):
        cut_video(video, "Drawn", tmp_path / folder, windows=[(1, 3)], clip_s=2)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"windows": []}, "windows must be at least one"),
        ({"windows": [(2, 1)]}, "window must be START-END"),
        ({"windows": [(0, 1)]}, "3 s long at least"),
        ({"windows": [(0, 4), (3, 7)]}, "apart from each other"),
        ({"windows": [(0, 4)], "fps": 0}, "fps"),
        ({"windows": [(0, 4)], "height": 1}, "height"),
    ],
)
def test_settings_that_cannot_be_are_refused_and_nothing_is_written(video, tmp_path, changes, why):
    with pytest.raises(InvalidOptions, match=why):
        cut_video(video, "Drawn", tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_videos_that_cannot_be_cut_are_refused(video, tmp_path):
    with pytest.raises(InvalidVideo, match=r"it ends before second [56]\.\d"):
        cut_video(video, "Drawn", tmp_path / "late", windows=[(4, 9)])
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(InvalidVideo, match="cannot be read"):
        cut_video(text, "Drawn", tmp_path / "text", windows=[(0, 4)])
    with pytest.raises(InvalidVideo, match="cannot be read"):
        cut_video(tmp_path / "none.mp4", "Drawn", tmp_path / "none", windows=[(0, 4)])
