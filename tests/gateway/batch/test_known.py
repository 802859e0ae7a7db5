"""gif-analyzer library build: every kind of input, runs that continue, and what the library then has."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

pytest.importorskip("daft", reason="This test needs Daft, which is not installed: make setup.")
from services.inference import Classifier
from services.inference.library import Library
from services.preprocess import decode_gif
from tests.support import programs
from tests.support.batch import RunBatch, SaveGif, begun, make_many

Shows = dict[str, str]  # by name


@pytest.fixture
def build(variables: dict[str, str], tmp_path: Path) -> RunBatch:
    """A function that runs the command to its end in tmp_path."""
    words = "gif-analyzer", "library", "build"
    more = "--library", "my.library", "--json", "--workers", "1"
    run = functools.partial(programs.run, cwd=tmp_path, **variables)
    return lambda *given: run(*words, *given, *more)


@pytest.fixture
def folder(tmp_path: Path, save_gif: SaveGif) -> Path:
    """Three GIFs of two shows, one of them deeper."""
    for show in ("Red Show", "Teal Show/some maker"):
        (tmp_path / "gifs" / show).mkdir(parents=True)
    save_gif("gifs/Red Show/red.gif", "red")
    save_gif("gifs/Teal Show/teal.gif", "green", "blue")
    save_gif("gifs/Teal Show/some maker/more.gif", "blue", "green")
    return tmp_path / "gifs"


def shows_of(path: Path) -> Shows:
    library = Library(path)
    return {library.name(clip): library.show(clip) for clip in range(len(library))}


def test_a_folder_of_shows_becomes_what_the_classifier_describes(
    build: RunBatch, folder: Path, model_path: Path, tmp_path: Path
) -> None:
    (folder / "Red Show" / "page.gif").write_text("<!doctype html>")

    done = build("gifs")

    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout) == {
        "library": "my.library",
        "failed": 1,
        "added": 3,
        "kept": 0,
        "reasons": {"NOT_A_GIF": 1},
        "changed": True,
        "clip_count": 3,
        "shows": 2,
    }
    library = Library(tmp_path / "my.library")
    assert sorted(library.titles) == ["Red Show", "Teal Show"]
    classifier = Classifier(model_path)
    for found in library.clips():
        gif = (tmp_path / found.name).read_bytes()
        clip = classifier.describe_clip(decode_gif(gif), show=found.show, name=found.name)
        assert (found.times_ms, found.digest) == (clip.times_ms, clip.digest)
        for name in ("embedding", "fingerprints", "distinct"):
            assert getattr(found, name).tobytes() == getattr(clip, name).tobytes()
    assert not (tmp_path / "my.library.parts").exists()


def test_a_second_run_computes_what_changed_and_keeps_what_is_elsewhere(
    build: RunBatch, folder: Path, save_gif: SaveGif, tmp_path: Path
) -> None:
    build("gifs")
    save_gif("gifs/Red Show/red.gif", "red", "green")
    save_gif("gifs/Red Show/new.gif", "green", "red")
    shutil.rmtree(folder / "Teal Show" / "some maker")
    (tmp_path / "list.csv").write_text("path,show\ngifs/Teal Show/teal.gif,Cyan Show\n")

    again = build("gifs")
    renamed = build("list.csv")
    written = (tmp_path / "my.library").stat().st_mtime_ns
    same = build("list.csv")

    said = [json.loads(done.stdout) for done in (again, renamed, same)]
    assert [(one["added"], one["kept"]) for one in said] == [(2, 1), (0, 1), (0, 1)]
    assert [one["changed"] for one in said] == [True, True, False]
    assert (tmp_path / "my.library").stat().st_mtime_ns == written  # servers do not load it again
    assert shows_of(tmp_path / "my.library") == {
        "gifs/Red Show/red.gif": "Red Show",
        "gifs/Red Show/new.gif": "Red Show",
        "gifs/Teal Show/teal.gif": "Cyan Show",  # by the same path, as the manifest names it
        "gifs/Teal Show/some maker/more.gif": "Teal Show",
    }


def test_a_glob_names_shows_by_folder(build: RunBatch, folder: Path, tmp_path: Path) -> None:
    done = build("gifs/**/*.gif")

    assert done.returncode == 0, done.stderr
    assert shows_of(tmp_path / "my.library") == {
        "gifs/Red Show/red.gif": "Red Show",
        "gifs/Teal Show/teal.gif": "Teal Show",
        "gifs/Teal Show/some maker/more.gif": "some maker",
    }


def test_a_gif_without_a_show_is_refused_before_anything_is_computed(
    build: RunBatch, folder: Path, tmp_path: Path
) -> None:
    shutil.copy(folder / "Red Show" / "red.gif", folder / "stray.gif")
    (tmp_path / "list.csv").write_text("path\ngifs/stray.gif\n")

    in_folder, in_list = build("gifs"), build("list.csv")

    assert (in_folder.returncode, in_list.returncode) == (2, 2)
    expected = "it must be a folder with one for each show, this is one with gifs/stray.gif in none"
    assert expected in in_folder.stderr
    expected = "it must be a manifest with a show for each GIF, this is one without a show for gifs/stray.gif"
    assert expected in in_list.stderr
    assert shows_of(tmp_path / "my.library") == {}


def test_a_killed_run_continues(
    environ: dict[str, str], build: RunBatch, save_gif: SaveGif, tmp_path: Path
) -> None:
    make_many(tmp_path / "gifs", save_gif, 300)
    (tmp_path / "all").mkdir()
    (tmp_path / "gifs").rename(tmp_path / "all" / "Teal Show")
    words = "library", "build", "all", "--library", "my.library"
    with begun(*words, environ=environ, folder=tmp_path) as process:
        os.killpg(process.pid, signal.SIGKILL)
    begun_parts = list((tmp_path / "my.library.parts").glob("part-*.parquet"))

    done = build("all")

    assert begun_parts
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["added"] == 300
    assert set(shows_of(tmp_path / "my.library").values()) == {"Teal Show"}
    assert not (tmp_path / "my.library.parts").exists()
