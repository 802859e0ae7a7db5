"""gif-train library: a library from what collect and cut write."""

import csv
import json

import av
import numpy as np
import pytest
from PIL import Image

from services.inference.library import Library
from tests.support.drawn import draw_gif, write_manifest
from tests.support.programs import call


@pytest.fixture
def manifest(tmp_path):
    """Three GIFs of two shows: two with an id, one without."""
    lines = []
    for number, (show, of_provider) in enumerate(
        [("Red Rings", "giphy:a"), ("Red Rings", "giphy:b"), ("Blue Bars", "")]
    ):
        name = f"gifs/{number}.gif"
        draw_gif(tmp_path / "m" / name, show, seed=number)
        lines.append({"path": name, "id": of_provider, "show": show, "group": str(number)})
    return write_manifest(tmp_path / "m" / "manifest.csv", lines)


@pytest.fixture
def build(tmp_path, manifest):
    def run():
        return call("gif-train", "library", manifest, "--library", "my.library", "--json", cwd=tmp_path)

    return run


def rewrite(manifest, **columns):
    """Change columns of the first line."""
    with manifest.open(newline="") as file:
        lines = list(csv.DictReader(file))
    write_manifest(manifest, [{**lines[0], **columns}, *({**columns, **line} for line in lines[1:])])


def test_gifs_are_named_by_their_id_or_path(build, tmp_path):
    done = build()

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "library": "my.library",
        "added": 3,
        "kept": 0,
        "failed": 0,
        "changed": True,
        "clip_count": 3,
        "shows": {"Red Rings": 2, "Blue Bars": 1},
    }
    found = Library(tmp_path / "my.library")
    assert [(found.name(clip), found.show(clip)) for clip in range(3)] == [
        ("giphy:a", "Red Rings"),
        ("giphy:b", "Red Rings"),
        ("gifs/2.gif", "Blue Bars"),
    ]


def test_only_what_changed_is_computed_again(build, manifest, tmp_path):
    build()
    before, written = Library(tmp_path / "my.library"), (tmp_path / "my.library").stat().st_mtime_ns

    def counts():
        said = json.loads(build().stdout)
        assert said["changed"] == (said["added"] > 0)
        return said["added"], said["kept"], said["clip_count"]

    assert counts() == (0, 3, 3)
    assert (tmp_path / "my.library").stat().st_mtime_ns == written  # servers do not load it again
    draw_gif(manifest.parent / "gifs" / "1.gif", "Red Rings", seed=9)
    assert counts() == (1, 2, 3)
    rewrite(manifest, show="Red Discs")
    assert counts() == (1, 2, 3)
    rewrite(manifest, start_ms="60000")  # of all three
    assert counts() == (3, 0, 3)
    after = Library(tmp_path / "my.library")
    assert after.titles == ("Red Discs", "Red Rings", "Blue Bars")
    assert (after.times_ms[2] - before.times_ms[2]).tolist() == [60_000] * 10


def test_a_gif_that_cannot_be_read_is_named_and_the_others_are_added(build, manifest):
    (manifest.parent / "gifs" / "0.gif").write_bytes(b"<html></html>")
    (manifest.parent / "gifs" / "2.gif").unlink()

    done = build()

    assert done.returncode == 1
    assert json.loads(done.stdout) | {"shows": {}} == {
        "library": "my.library",
        "added": 1,
        "kept": 0,
        "failed": 2,
        "changed": True,
        "clip_count": 1,
        "shows": {},
    }
    lines = done.stderr.splitlines()
    assert "gifs/0.gif: not a GIF" in lines[0]
    assert lines[1].endswith("gifs/2.gif: cannot read the file: no such file or directory")


def test_an_id_that_two_gifs_have_is_refused(build, manifest):
    rewrite(manifest, id="giphy:b")

    done = build()

    assert done.returncode == 1
    assert done.stderr.endswith("1.gif has the id of 0.gif\n")


def test_a_start_that_is_no_number_is_refused(build, manifest):
    rewrite(manifest, start_ms="soon")

    assert "start_ms of line 2 must be a number of milliseconds, it is soon" in build().stderr


def test_a_gif_is_found_in_the_video_that_it_is_from(tmp_path):
    with av.open(str(tmp_path / "S01E02.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt, stream.bit_rate = 144, 192, "yuv420p", 2_000_000
        for seed in (0, 2, 1):  # scenes of four seconds, in which the camera moves to the right
            colours = np.random.default_rng(seed).integers(75 * seed, 75 * seed + 100, (7, 20, 3))
            wide = np.asarray(
                Image.fromarray(colours.astype(np.uint8)).resize(
                    (192 + 40 * 5, 144), Image.Resampling.BICUBIC
                )
            )
            for left in range(0, 40 * 5, 5):
                picture = np.ascontiguousarray(wide[:, left : left + 192])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    # What a viewer cut out: one second and a half of the third scene, from 8.5 s on.
    cut = ["cut", "S01E02.mkv", "--show", "Lights", "--height", "144"]
    call("gif-train", *cut, "--window", "8.5-10", "--clip-s", "1.5", "--out", "mine", cwd=tmp_path)
    [mine] = (tmp_path / "mine").glob("*-whole.gif")

    cut_up = call("gif-train", *cut, "--out", "cut", cwd=tmp_path)
    built = call("gif-train", "library", "cut/manifest.csv", "--library", "tv.library", cwd=tmp_path)
    named = call("gif-analyzer", "identify", mine, "--library", "tv.library", "--json", cwd=tmp_path)

    assert (cut_up.returncode, built.returncode, named.returncode) == (0, 0, 0), built.stderr + named.stderr
    match = json.loads(named.stdout)["matches"][0]
    assert (match["show"], match["mirrored"]) == ("Lights", False)
    assert match["name"].startswith("video:S01E02-8-")
    begin = match["known"]["start_ms"] - match["query"]["start_ms"]
    assert begin == pytest.approx(8500, abs=300)  # of two frames of a GIF of three seconds
