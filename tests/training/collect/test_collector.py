"""The collector as people run it, beside a server on this machine that speaks Giphy's API."""

from __future__ import annotations

import functools
import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.collector import collect, command, environment, table, write_shows
from tests.support.giphy_server import Item, Library, serving
from tests.support.scenes import draw_scene

TWO = {"Red Show": ("red", "red scene"), "Blue Show": ("blue",)}


def items(name: str, count: int, *, first: int = 0) -> list[Item]:
    """GIFs of ids and scenes of their own."""
    return [Item(f"{name}{number}", scene(first + number)) for number in range(count)]


scene = functools.cache(draw_scene)


def files_of(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".sqlite"
    }


@pytest.fixture
def library() -> Iterator[Library]:
    """Two shows in three searches; the first has two pages, and two searches find some of the same."""
    red, late = items("red", 8), items("late", 4, first=8)
    results = {
        "red": [*red, *red[:1] * 42, *late],  # fifty results are a page
        "red scene": [*late, *items("more", 2, first=12)],
        "blue": items("blue", 3, first=20),
    }
    with serving(Library(results)) as running:
        yield running


@pytest.fixture
def small() -> Iterator[Library]:
    """One show, one search, three GIFs."""
    with serving(Library({"red": items("red", 3)})) as running:
        yield running


@pytest.mark.parametrize(
    ("place", "fault"), [("search red 50", "hang half"), ("file red7", "hang"), ("file more1", "hang half")]
)
def test_a_killed_run_loses_nothing_and_the_next_requests_nothing_twice(library, tmp_path, place, fault):
    shows, out = write_shows(tmp_path, TWO), tmp_path / "killed"
    library.faults[place] = [fault]
    running = subprocess.Popen(
        command(library, shows, out, "--timeout", 60), env=environment(), stderr=subprocess.PIPE
    )

    assert library.hanging.wait(50), "it never came to the place where it is killed"
    running.kill()
    running.communicate(timeout=30)

    assert running.returncode == -signal.SIGKILL
    assert not (out / "manifest.csv").exists()

    done = collect(library, shows, out)

    assert done.returncode == 0, done.stderr
    assert library.twice() == {}
    searches = ["search red 0", "search red 50", "search red scene 0", "search blue 0"]
    files = [
        f"file {item.id}"
        for item in {item.id: item for of in library.results.values() for item in of}.values()
    ]
    assert sorted(library.answered) == sorted(searches + files)
    assert {line["id"] for line in table(out / "manifest.csv")} == {
        f"giphy:{name.removeprefix('file ')}" for name in files
    }
    cut_short = place.startswith("search")  # such a call counts as well
    assert json.loads(done.stdout)["calls"]["used"] == len(searches) + cut_short

    whole = tmp_path / "whole"
    assert collect(library, shows, whole).returncode == 0
    for name in ("manifest.csv", "set-aside.csv", "README.md"):
        assert (whole / name).read_bytes() == (out / name).read_bytes()


def test_a_second_run_requests_and_changes_nothing(library, tmp_path):
    shows, out = write_shows(tmp_path, TWO), tmp_path / "out"
    library.faults["file red4"] = ["404"]
    first = collect(library, shows, out)
    written = files_of(out)
    library.asked.clear()

    second = collect(library, shows, out)

    assert library.asked == []
    assert second.stdout == first.stdout
    assert files_of(out) == written
    reasons = {line["id"]: line["reason"] for line in table(out / "set-aside.csv")}
    assert reasons == {"giphy:red4": "UNAVAILABLE"}


def test_an_interrupted_wait_says_how_to_continue(small, tmp_path):
    shows, out = write_shows(tmp_path, {"Red Show": ("red",)}), tmp_path / "out"
    small.faults["search red 0"] = ["429 bare"]
    running = subprocess.Popen(
        command(small, shows, out), env=environment(), stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    said = next(line for line in running.stderr if "going on in" in line)

    running.send_signal(signal.SIGINT)
    _, rest = running.communicate(timeout=120)

    assert "1 of 100 calls of this hour are used" in said
    assert running.returncode == 130
    assert rest == "interrupted; the same command continues from here\n"


def test_transient_failures_are_retried(small, tmp_path):
    shows, out = write_shows(tmp_path, {"Red Show": ("red",)}), tmp_path / "out"
    small.faults["search red 0"] = ["cut", "500", "no json", "slow", "429"]
    small.faults["file red0"] = ["cut"]
    small.faults["file red1"] = ["slow", "500"]

    done = collect(small, shows, out, "--attempts", 6)

    assert done.returncode == 0, done.stderr
    assert "going on in 0:01" in done.stderr  # Retry-After of the 429
    assert small.twice().keys() <= {"search red 0", "file red1"}  # too slow for us, whole for the server
    assert [line["id"] for line in table(out / "manifest.csv")] == ["giphy:red0", "giphy:red1", "giphy:red2"]
    for line in table(out / "manifest.csv"):
        item = small.item(line["id"].removeprefix("giphy:"))
        assert item is not None
        assert (out / line["path"]).read_bytes() == item.gif
    assert list(out.rglob(".*.gif")) == []


@pytest.mark.parametrize(
    ("faults", "code", "said"),
    [
        (
            ["hang", "hang"],
            1,
            "Giphy does not answer: timed out, after 2 attempts; run the same command again",
        ),
        (["cut", "cut"], 1, "after 2 attempts"),
        (["no json", "500"], 1, "Giphy does not answer: HTTP 500: oops, after 2 attempts"),
        (["403"], 1, "Giphy refuses: HTTP 403: BANNED; is the key in GIPHY_API_KEY right?"),
        (
            ["429 bare"],
            75,
            "they are used up; run the same command again in 60 min to continue",
        ),
    ],
)
def test_a_permanent_failure_is_one_line_and_keeps_what_was_collected(small, tmp_path, faults, code, said):
    shows, out = write_shows(tmp_path, {"Red Show": ("red", "scarlet")}), tmp_path / "out"
    small.faults["search scarlet 0"] = faults

    done = collect(small, shows, out, "--no-wait")

    assert done.returncode == code
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert json.loads(done.stdout)["complete"] is False
    assert len(table(out / "manifest.csv")) == 3


def test_a_wrong_key_is_one_line_without_the_key(small, tmp_path):
    shows = write_shows(tmp_path, {"Red Show": ("red",)})

    done = collect(small, shows, tmp_path / "out", key="wrong-key-98765")

    assert done.returncode == 1
    assert "Giphy refuses: HTTP 401: Unauthorized: *** is no key" in done.stderr
    assert small.asked == ["search red 0"]


def test_without_a_key_there_is_no_request(small, tmp_path):
    done = collect(small, write_shows(tmp_path, TWO), tmp_path / "out", key=" ")

    assert done.returncode == 2
    assert done.stderr.startswith("error: GIPHY_API_KEY must be your key of Giphy's API")
    assert small.asked == []


def test_the_calls_of_earlier_runs_count(library, tmp_path):
    shows, out = write_shows(tmp_path, TWO), tmp_path / "out"

    first = collect(library, shows, out, "--calls-per-hour", 2, "--no-wait")
    asked = list(library.asked)
    second = collect(library, shows, out, "--calls-per-hour", 2, "--no-wait")

    assert first.returncode == second.returncode == 75
    assert [name for name in library.asked if name.startswith("search")] == ["search red 0", "search red 50"]
    assert library.asked == asked  # the second had nothing left to ask
    assert json.loads(second.stdout)["calls"] == {"used": 2, "allowed": 2}

    third = collect(library, shows, out, "--no-wait")

    assert third.returncode == 0
    assert json.loads(third.stdout)["calls"]["used"] == 4
    assert library.twice() == {}


@pytest.mark.parametrize(
    ("faults", "reason", "message"),
    [
        (["500", "500"], "UNAVAILABLE", "HTTP 500, after 2 attempts"),
        (["html"], "NOT_A_GIF", "not a GIF"),
    ],
)
def test_the_next_run_fetches_a_gif_that_was_unavailable(small, tmp_path, faults, reason, message):
    shows, out = write_shows(tmp_path, {"Red Show": ("red",)}), tmp_path / "out"
    small.faults["file red1"] = faults

    first = collect(small, shows, out)
    [waiting] = table(out / "set-aside.csv")
    second = collect(small, shows, out)

    assert first.returncode == second.returncode == 0
    assert (waiting["id"], waiting["reason"]) == ("giphy:red1", reason)
    assert message in waiting["message"]
    assert len(table(out / "manifest.csv")) == 3
    assert table(out / "set-aside.csv") == []


def test_a_download_is_named_by_its_format(tmp_path):
    with io.BytesIO() as file:
        Image.new("RGB", (40, 30), "teal").save(file, "WEBP")
        webp = file.getvalue()
    with serving(Library({"red": [Item("a", draw_scene(1)), Item("b", webp)]})) as library:
        shows, out = write_shows(tmp_path, {"Red Show": ("red",)}), tmp_path / "out"

        collect(library, shows, out)
        (out / "collect.sqlite").unlink()  # as if a run was killed before it recorded the files
        (out / "gifs/red-show/.giphy-c-partial.gif").touch()
        library.asked.clear()
        collect(library, shows, out)

    names = sorted(path.name for path in (out / "gifs/red-show").iterdir())
    assert names == ["giphy-a.gif", "giphy-b.webp"]
    assert [line["path"].rpartition("/")[2] for line in table(out / "manifest.csv")] == names
    assert library.asked == ["search red 0"]


def test_the_next_run_requests_a_page_that_was_empty(small, tmp_path):
    shows, out = write_shows(tmp_path, {"Red Show": ("red",)}), tmp_path / "out"
    small.faults["search red 0"] = ["empty no pagination"] * 2

    first, second = collect(small, shows, out), collect(small, shows, out)

    assert first.returncode == 1
    assert "Giphy does not answer: its page for 'red' is empty, after 2 attempts" in first.stderr
    assert second.returncode == 0
    assert len(table(out / "manifest.csv")) == 3


def test_repeated_results_end_a_search_and_stickers_are_left_out(tmp_path):
    first = [*items("red", 3), Item("glitter", draw_scene(9), type="sticker")]
    with serving(Library({"red": first * 200}, pagination=False)) as library:
        shows, out = write_shows(tmp_path, {"Red Show": ("red",)}, results=500), tmp_path / "out"

        done = collect(library, shows, out)

    searches = [name for name in library.asked if name.startswith("search")]
    assert searches == ["search red 0", "search red 50", "search red 100", "search red 150"]
    assert library.twice() == {}
    assert "file glitter" not in library.asked
    said = json.loads(done.stdout)
    assert (said["gifs"], said["left_out"], said["complete"]) == (3, 50, True)


def test_a_gif_under_two_shows_is_set_aside_and_copies_are_one_group(tmp_path):
    results = {
        "red": [
            Item("own", draw_scene(1)),
            Item("copy", draw_scene(1, mirrored=True)),
            Item("both", draw_scene(2)),
        ],
        "blue": [
            Item("other", draw_scene(3)),
            Item("both", draw_scene(2)),
            Item("taken", draw_scene(1, small=True)),
        ],
    }
    with serving(Library(results)) as library:
        shows, out = write_shows(tmp_path, {"Red Show": ("red",), "Blue Show": ("blue",)}), tmp_path / "out"

        done = collect(library, shows, out)

    assert done.returncode == 0
    aside = {(line["id"], line["show"]): line["reason"] for line in table(out / "set-aside.csv")}
    assert set(aside.values()) == {"UNDER_TWO_SHOWS"}
    assert {
        ("giphy:both", "Red Show"),
        ("giphy:both", "Blue Show"),
        ("giphy:taken", "Blue Show"),
    } <= aside.keys()
    assert "giphy:other" in {line["id"] for line in table(out / "manifest.csv")}
    assert library.twice() == {}


def test_terms_stand_with_the_gifs_and_git_ignores_them(small, tmp_path):
    out = tmp_path / "out"

    done = collect(small, write_shows(tmp_path, {"Red Show": ("red",)}), out)

    assert "Powered by GIPHY" in done.stderr
    assert "Powered by GIPHY" in json.loads(done.stdout)["terms"]
    assert "Powered by GIPHY" in (out / "README.md").read_text("utf-8")
    assert (out / "gifs" / ".gitignore").read_text("utf-8") == "*\n"


def test_a_folder_is_collected_in_place_and_without_requests(small, tmp_path):
    folder, out = tmp_path / "mine", tmp_path / "out"
    for name, gif in (
        ("Red Show/a.gif", draw_scene(1)),
        ("Red Show/ann/a-mirrored.gif", draw_scene(1, mirrored=True)),
        ("Blue Show/b.GIF", draw_scene(2)),
        ("Blue Show/no.gif", b"<html>"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(gif)

    done = collect(small, write_shows(tmp_path, TWO), out, "--folder", folder, key="unused-key")

    assert done.returncode == 0, done.stderr
    assert small.asked == []
    lines = table(out / "manifest.csv")
    assert sorted((line["show"], line["username"]) for line in lines) == [
        ("Blue Show", ""),
        ("Red Show", ""),
        ("Red Show", "ann"),
    ]
    assert len({line["group"] for line in lines if line["show"] == "Red Show"}) == 1
    assert all((out / line["path"]).resolve().is_relative_to(folder) for line in lines)
    assert [line["reason"] for line in table(out / "set-aside.csv")] == ["NOT_A_GIF"]

    (folder / "Blue Show" / "b.GIF").unlink()
    again = collect(small, write_shows(tmp_path, TWO), out, "--folder", folder, key="unused-key")

    assert json.loads(again.stdout)["shows"] == {"Red Show": 2}


def test_a_name_that_is_not_utf8_is_set_aside_and_the_others_are_collected(small, tmp_path):
    folder, out = tmp_path / "mine", tmp_path / "out"
    for name, number in ((b"Red Show/a.gif", 1), (b"Red Show/\xff.gif", 2), (b"Show \xe9/b.gif", 3)):
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw_scene(number))

    done = collect(small, write_shows(tmp_path, TWO), out, "--folder", folder, key="unused-key")

    assert done.returncode == 0, done.stderr
    assert [line["title"] for line in table(out / "manifest.csv")] == ["a"]
    aside = {line["address"]: (line["show"], line["reason"]) for line in table(out / "set-aside.csv")}
    assert aside == {
        r"Red Show/\xff.gif": ("Red Show", "UNREADABLE_FILE"),
        r"Show \xe9/b.gif": (r"Show \xe9", "UNREADABLE_FILE"),
    }
