"""gif-train regroup, as people run it: a manifest whose groups overlook a copy."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support.collector import table
from tests.support.programs import Done, call
from tests.support.scenes import draw_scene
from training.data.manifest import read_manifest


def regroup(*words: str, cwd: Path) -> Done:
    done = call("gif-train", "regroup", *words, cwd=cwd)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A scene, its mirrored copy in another group, a scene of the copy's group, and one that is no GIF."""
    (tmp_path / "gifs").mkdir()
    for name, gif in (
        ("a", draw_scene(1)),
        ("b", draw_scene(1, mirrored=True)),
        ("c", draw_scene(2)),
        ("d", b"<html>"),
    ):
        (tmp_path / "gifs" / f"{name}.gif").write_bytes(gif)
    path = tmp_path / "shows.csv"
    path.write_text(
        'path,show,group,note\ngifs/a.gif,Red,2,"one, two"\ngifs/b.gif,Red,1,\n'
        "gifs/c.gif,Red,1,\ngifs/d.gif,Red,3,\n"
    )
    return path


def test_groups_are_joined_and_everything_else_stays(manifest, tmp_path):
    before = table(manifest)

    done = regroup("shows.csv", "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["groups_before"], said["groups"], said["unread"]) == (3, 2, ["d.gif"])
    assert [pair["groups"] for pair in said["pairs"]] == [["2", "1"]]
    assert "d.gif: " in done.stderr
    assert table(manifest) == [{**line, "group": group} for line, group in zip(before, "1113", strict=True)]

    once = manifest.read_bytes()
    assert regroup("shows.csv", cwd=tmp_path).returncode == 0
    assert manifest.read_bytes() == once


def test_a_manifest_in_another_folder_lists_the_same_gifs(manifest, tmp_path):
    before = manifest.read_bytes()
    (tmp_path / "elsewhere").mkdir()

    done = regroup("shows.csv", "--out", "elsewhere/grouped.csv", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "b.gif of 1" in done.stdout
    assert manifest.read_bytes() == before
    rows = read_manifest(tmp_path / "elsewhere" / "grouped.csv")
    assert [row.path.resolve() for row in rows] == [row.path.resolve() for row in read_manifest(manifest)]


def test_a_dry_run_writes_nothing(manifest, tmp_path):
    before = manifest.read_bytes()

    done = regroup("shows.csv", "--dry-run", cwd=tmp_path)

    assert done.returncode == 0
    assert "nothing written: 4 GIFs in 2 groups, 3 before" in done.stdout
    assert manifest.read_bytes() == before


def test_errors_of_files_are_one_line(manifest, tmp_path):
    with (tmp_path / "no.csv").open("w", newline="") as file:
        csv.writer(file).writerow(["path", "show"])

    for words, said in (
        (("no.csv",), "it has no column group"),
        (("none.csv",), "it cannot be read"),
        (("shows.csv", "--out", "nowhere/x.csv"), "it cannot be written"),
    ):
        done = regroup(*words, cwd=tmp_path)

        assert done.returncode == 1
        assert said in done.stderr.splitlines()[-1]
