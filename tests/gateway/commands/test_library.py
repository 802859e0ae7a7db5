"""`gif-analyzer library`: what its commands print and return."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import app

SaveGif = Callable[..., Path]
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs `gif-analyzer library` for tmp_path/my.library."""
    monkeypatch.setenv("GIF_ANALYZER_MODEL", str(model_path))

    def run_here(*words: object) -> Result:
        chosen = ["library", *map(str, words), "--library", str(tmp_path / "my.library")]
        return CliRunner().invoke(app, chosen)

    return run_here


def test_what_was_added_is_listed_and_can_be_removed(run: Run, save_gif: SaveGif, tmp_path: Path) -> None:
    red, blue = save_gif("red.gif", "red"), save_gif("blue.gif", "blue")

    added = run("add", "Severance", red, blue)
    again = run("add", "Lost", blue)

    assert (added.exit_code, added.stdout) == (0, f"{tmp_path}/my.library: 2 GIFs of Severance added\n")
    assert again.exit_code == 0
    assert json.loads(run("list", "--json").stdout)["shows"] == {"Severance": 1, "Lost": 1}
    assert run("remove", red).stdout == f"{tmp_path}/my.library: 1 GIFs removed, 1 left\n"
    assert run("remove", "--show", "Lost").exit_code == 0
    assert run("list").stdout == "it is empty\n"


def test_what_the_library_has_already_leaves_its_file_alone(
    run: Run, save_gif: SaveGif, tmp_path: Path
) -> None:
    red, file = save_gif("red.gif", "red"), tmp_path / "my.library"
    first = run("add", "Severance", red, "--json")
    before = file.stat()

    again, in_words = run("add", "Severance", red, "--json"), run("add", "Severance", red)

    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (json.loads(first.stdout)["changed"], json.loads(again.stdout)["changed"]) == (True, False)
    assert (in_words.exit_code, in_words.stdout) == (0, f"{file}: nothing changed\n")


def test_a_file_that_is_no_gif_is_reported_and_the_others_are_added(
    run: Run, save_gif: SaveGif, tmp_path: Path
) -> None:
    page = tmp_path / "page.gif"
    page.write_text("<html>")

    done = run("add", "Severance", page, save_gif("red.gif", "red"), "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["added"] == 1
    assert done.stderr.startswith(f"gif-analyzer: {page}: ")


def test_a_library_of_another_model_is_refused_and_stays(
    run: Run, save_gif: SaveGif, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("add", "Severance", save_gif("red.gif", "red"))
    before = (tmp_path / "my.library").read_bytes()
    monkeypatch.delenv("GIF_ANALYZER_MODEL")

    done = run("add", "Severance", save_gif("blue.gif", "blue"))

    assert done.exit_code == 2
    assert "it was made with" in done.stderr
    assert (tmp_path / "my.library").read_bytes() == before


@pytest.mark.parametrize("words", [["list"], ["check"], ["remove", "a.gif"]])
def test_a_missing_library_is_one_clear_line(run: Run, words: list[str]) -> None:
    done = run(*words)

    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "no such file" in done.stderr


def test_what_is_not_there_cannot_be_removed(run: Run, save_gif: SaveGif) -> None:
    run("add", "Severance", save_gif("red.gif", "red"))

    assert run("remove", "other.gif").exit_code == 1
    assert run("remove").exit_code == 2


def test_libraries_are_merged(run: Run, save_gif: SaveGif, tmp_path: Path) -> None:
    run("add", "Severance", save_gif("red.gif", "red"), save_gif("blue.gif", "blue"))
    other = tmp_path / "other.library"
    (tmp_path / "my.library").rename(other)
    run("add", "Lost", save_gif("blue.gif", "blue"), save_gif("green.gif", "green"))

    done = run("merge", other, "--json")

    assert json.loads(done.stdout)["clip_count"] == 3
    assert json.loads(run("list", "--json").stdout)["shows"] == {"Severance": 2, "Lost": 1}


def test_check_names_shows_with_few_gifs_and_those_that_look_like_others(
    run: Run, save_gif: SaveGif, tmp_path: Path
) -> None:
    reds = [
        save_gif(f"red{number}.gif", f"#{255 - 9 * number:02x}{9 * number:02x}00") for number in range(10)
    ]
    run("add", "Thin", save_gif("blue.gif", "blue"))
    thin = run("check")
    run("remove", "--show", "Thin")
    for place, gif in enumerate(reds):  # each red of one show is nearest to a red of the other
        run("add", ("Even", "Odd")[place % 2], gif)
    alike = run("check", "--json")

    assert (thin.exit_code, thin.stdout) == (1, "Thin: 1 GIF; give it 5 at least\n")
    assert alike.exit_code == 1
    assert json.loads(alike.stdout)["alike"]


def test_check_accepts_shows_that_differ(run: Run, save_gif: SaveGif, tmp_path: Path) -> None:
    for show, colour in {"Red": "#{:02x}0000", "Blue": "#0000{:02x}"}.items():
        run("add", show, *(save_gif(f"{show}{each}.gif", colour.format(255 - each)) for each in range(5)))

    done = run("check")

    assert (done.exit_code, done.stdout) == (0, f"{tmp_path}/my.library: 10 GIFs of 2 shows, all well\n")
