"""GIFs put into folders by show, through the command; what is killed in the middle, through the functions."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import sorting
from gateway.sorting import folder_name, open_sorting, undo
from services.errors import UnreadableFile
from services.inference import Verdict
from tests.support import programs
from tests.support.programs import Done

SaveGif = Callable[..., Path]
Run = Callable[..., Done]
RED = Verdict("show", ("Red Show",))


@pytest.fixture
def gifs(tmp_path: Path, save_gif: SaveGif) -> Path:
    """Five GIFs, two of the same name, one unknown, and one that is none."""
    (tmp_path / "gifs" / "more").mkdir(parents=True)
    save_gif("gifs/a.gif", "red")
    save_gif("gifs/more/a.gif", "red", "red", "blue")
    save_gif("gifs/b.gif", "blue")
    save_gif("gifs/grey.gif", "grey")
    (tmp_path / "gifs" / "page.gif").write_text("<!doctype html>")
    return tmp_path / "gifs"


@pytest.fixture
def run(model_path: Path, tmp_path: Path) -> Run:
    """A function that runs `gif-analyzer sort` in tmp_path."""

    def run_to_end(*words: str, **variables: str) -> Done:
        named = {"GIF_ANALYZER_MODEL": str(model_path), **variables}
        return programs.call("gif-analyzer", "sort", *words, cwd=tmp_path, **named)

    return run_to_end


def contents(folder: Path) -> dict[str, bytes]:
    """The files below a folder, but for the logs."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and sorting.HOME not in path.parts
    }


SORTED = {"Red Show/a.gif": "a.gif", "Red Show/a (2).gif": "more/a.gif", "Blue Show/b.gif": "b.gif"}


@pytest.mark.parametrize("how", ["copy", "link", "move"])
def test_gifs_are_sorted_by_show_and_back(run: Run, gifs: Path, tmp_path: Path, how: str) -> None:
    before, into = contents(gifs), tmp_path / "sorted"

    done = run("gifs", "--into", "sorted", "--how", how)

    assert done.returncode == 1
    assert done.stderr.startswith("gif-analyzer: gifs/page.gif: not a GIF")
    assert done.stdout.splitlines() == [
        "sorted into sorted: 2 Red Show, 1 Blue Show",
        "  left where they are: 1 unknown",
        "  failed: 1",
        "  to take it back: gif-analyzer sort --into sorted --undo",
    ]
    assert contents(into) == {place: before[name] for place, name in SORTED.items()}
    left = {"grey.gif", "page.gif"} if how == "move" else set(before)
    assert contents(gifs).keys() == left
    if how == "link":
        assert (into / "Red Show" / "a.gif").samefile(gifs / "a.gif")

    again = run("gifs", "--into", "sorted", "--how", how)
    taken_back = run("--into", "sorted", "--undo")

    assert again.stdout.startswith("sorted into sorted: nothing\n")
    assert (taken_back.returncode, taken_back.stdout) == (0, "3 files were taken back\n")
    assert contents(gifs) == before
    assert not into.exists()
    assert run("--into", "sorted", "--undo").returncode == 2


def test_a_dry_run_says_what_would_be_done_and_does_nothing(run: Run, gifs: Path, tmp_path: Path) -> None:
    before = contents(gifs)

    done = run("gifs", "--into", "sorted", "--how", "move", "--dry-run")

    assert done.stdout.splitlines()[:4] == [
        "move gifs/a.gif -> sorted/Red Show/a.gif",
        "move gifs/b.gif -> sorted/Blue Show/b.gif",
        "move gifs/more/a.gif -> sorted/Red Show/a (2).gif",
        "nothing was done; it would sort: 2 Red Show, 1 Blue Show",
    ]
    assert contents(gifs) == before
    assert not (tmp_path / "sorted").exists()


def test_json_tells_every_file_and_what_was_done_with_it(run: Run, gifs: Path) -> None:
    planned, done = (run("gifs", "--into", "sorted", "--json", *options) for options in (["--dry-run"], []))
    undone = run("--into", "sorted", "--undo", "--json")

    assert (planned.returncode, planned.stderr, done.returncode, done.stderr) == (1, "", 1, "")
    said = json.loads(done.stdout)
    assert json.loads(planned.stdout) == said | {"dry_run": True}
    files = {file["source"]: file for file in said.pop("files")}
    assert said == {
        **{"into": "sorted", "how": "copy", "dry_run": False},
        **{"sorted": 3, "there_already": 0, "left": 1, "failed": 1},
    }
    assert files["gifs/more/a.gif"] == {
        "source": "gifs/more/a.gif",
        "verdict": {"level": "show", "names": ["Red Show"], "text": "Red Show"},
        "target": "sorted/Red Show/a (2).gif",
    }
    assert "target" not in files["gifs/grey.gif"]
    assert files["gifs/page.gif"]["error"]["reason"] == "NOT_A_GIF"
    assert json.loads(undone.stdout) == {"into": "sorted", "taken_back": 3, "kept": []}


def test_at_least(run: Run, save_gif: SaveGif, familiar_path: Path, tmp_path: Path) -> None:
    (tmp_path / "gifs").mkdir()
    save_gif("gifs/red.gif", "red")
    save_gif("gifs/two.gif", "red", "#ffdc00", "lime")
    save_gif("gifs/olive.gif", "#c8be3c")
    expected = {
        "show": {"Red Show/red.gif"},
        "one_of": {"Red Show or Green Show/two.gif"},
        "kind": {"live action/olive.gif"},
        "unknown": set[str](),
    }
    there = set[str]()

    for level, new in expected.items():
        done = run("gifs", "--into", "sorted", "--at-least", level, GIF_ANALYZER_MODEL=str(familiar_path))
        there |= new
        assert done.returncode == 0, done.stderr
        assert contents(tmp_path / "sorted").keys() == there


def test_folder_is_sorted_in_place(run: Run, gifs: Path) -> None:
    (gifs / "page.gif").unlink()
    inside = run("gifs", "--into", "gifs/sorted")
    again = run("gifs", "--into", "gifs/sorted")
    run("--into", "gifs/sorted", "--undo")
    before = contents(gifs)

    in_place = run("gifs", "--into", "gifs", "--how", "move", "--at-least", "unknown")
    twice = run("gifs", "--into", "gifs", "--how", "move", "--at-least", "unknown")

    assert "2 Red Show, 1 Blue Show" in inside.stdout
    assert "there already: 3" in again.stdout
    assert in_place.returncode == 0
    assert contents(gifs).keys() == {*SORTED, "unknown/grey.gif"}
    assert "there already: 4" in twice.stdout
    run("--into", "gifs", "--undo")
    assert contents(gifs) == before


def test_existing_files_are_never_overwritten(run: Run, gifs: Path, tmp_path: Path) -> None:
    place = tmp_path / "sorted" / "Red Show" / "a.gif"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"another")
    (tmp_path / "sorted" / "Blue Show").write_bytes(b"a file in the way")

    done = run("gifs", "--into", "sorted", "--how", "move")

    assert done.returncode == 1
    assert "gifs/b.gif: cannot read the file: " in done.stderr
    assert contents(tmp_path / "sorted").keys() == {
        *("Red Show/a.gif", "Red Show/a (2).gif", "Red Show/a (3).gif", "Blue Show")
    }
    assert place.read_bytes() == b"another"
    assert (gifs / "b.gif").exists()

    assert run("--into", "sorted", "--undo").stdout == "2 files were taken back\n"
    assert place.read_bytes() == b"another"


def test_changed_and_orphaned_files_stay(run: Run, gifs: Path, tmp_path: Path) -> None:
    run("gifs", "--into", "sorted")
    into = tmp_path / "sorted"
    (into / "Red Show" / "a.gif").write_bytes(b"drawn over")
    (gifs / "b.gif").unlink()

    done = run("--into", "sorted", "--undo")

    assert (done.returncode, done.stdout) == (1, "1 files were taken back, 2 stay\n")
    assert "gif-analyzer: Red Show/a.gif stays: it was changed since\n" in done.stderr
    assert "gif-analyzer: Blue Show/b.gif stays: its original is gone\n" in done.stderr
    assert contents(into).keys() == {"Red Show/a.gif", "Blue Show/b.gif"}

    (gifs / "b.gif").write_bytes((into / "Blue Show" / "b.gif").read_bytes())
    assert run("--into", "sorted", "--undo").stdout == "1 files were taken back, 1 stay\n"


def test_undo_never_overwrites(run: Run, gifs: Path, tmp_path: Path) -> None:
    run("gifs", "--into", "sorted", "--how", "move")
    (gifs / "a.gif").write_bytes(b"new")

    done = run("--into", "sorted", "--undo")

    assert "Red Show/a.gif stays: another file is where it was" in done.stderr
    assert (gifs / "a.gif").read_bytes() == b"new"
    assert (tmp_path / "sorted" / "Red Show" / "a.gif").exists()


# Killed


class Killed(BaseException):
    """What a test raises where a process would be killed."""


@pytest.mark.parametrize("how", ["copy", "move"])
@pytest.mark.parametrize("step", ["write", "publish", "unlink"])
def test_killed_at_any_step(
    gifs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: sorting.How, step: str
) -> None:
    source, into = gifs / "a.gif", tmp_path / "sorted"
    gif = source.read_bytes()

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with open_sorting(into) as run, monkeypatch.context() as patched:
        place, name = {"write": (shutil, "copystat"), "publish": (os, "link"), "unlink": (Path, "unlink")}[
            step
        ]
        patched.setattr(place, name, kill)
        with contextlib.suppress(Killed):
            run.put(how, str(source), gif, RED)

    found = [*contents(into).values(), *([source.read_bytes()] if source.exists() else [])]
    assert found
    assert set(found) == {gif}


@pytest.mark.parametrize("way", ["undo", "again"])
def test_killed_move(gifs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    source, into = gifs / "a.gif", tmp_path / "sorted"
    gif = source.read_bytes()
    with open_sorting(into) as run, monkeypatch.context() as patched:

        def kill(*_: object, **__: object) -> None:
            raise Killed

        patched.setattr(Path, "unlink", kill)
        with pytest.raises(Killed):
            run.put("move", str(source), gif, RED)
    assert source.samefile(into / "Red Show" / "a.gif")

    if way == "undo":
        assert undo(into)[0] == 1
        assert source.read_bytes() == gif
        assert not into.exists()
    else:
        with open_sorting(into) as again:
            again.put("move", str(source), gif, RED)
        assert not source.exists()
        assert contents(into) == {"Red Show/a.gif": gif}


def test_a_copy_is_whole_or_not_there(gifs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    into = tmp_path / "sorted"

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with open_sorting(into) as run, monkeypatch.context() as patched:
        patched.setattr(shutil, "copystat", fail)
        with pytest.raises(UnreadableFile, match="no space left on device"):
            run.put("copy", str(gifs / "a.gif"), (gifs / "a.gif").read_bytes(), RED)

    assert contents(into) == {}
    assert undo(into)[0] == 0
    assert not into.exists()


def test_two_disks(gifs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    into, gif = tmp_path / "sorted", (gifs / "a.gif").read_bytes()
    real = os.link

    def link(source: str | Path, target: str | Path) -> None:
        if Path(source).parent == gifs or Path(target).parent == gifs:
            raise OSError(18, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    with open_sorting(into) as run:
        with pytest.raises(UnreadableFile, match="cannot be linked on another disk"):
            run.put("link", str(gifs / "a.gif"), gif, RED)
        run.put("move", str(gifs / "a.gif"), gif, RED)
    assert contents(into) == {"Red Show/a.gif": gif}
    assert not (gifs / "a.gif").exists()


def test_two_runs_do_not_sort_into_one_folder(tmp_path: Path) -> None:
    with (
        open_sorting(tmp_path),
        pytest.raises(UnreadableFile, match="another run sorts into it"),
        open_sorting(tmp_path),
    ):
        pass


def test_damaged_log(gifs: Path, tmp_path: Path) -> None:
    with open_sorting(tmp_path / "sorted") as run:
        run.put("copy", str(gifs / "a.gif"), (gifs / "a.gif").read_bytes(), RED)
    log = tmp_path / "sorted" / sorting.HOME / "sort-000001.jsonl"
    whole = log.read_text()

    log.write_text('{"how": "co\n' + whole)
    with pytest.raises(UnreadableFile, match="line 1 of the log is damaged"):
        undo(tmp_path / "sorted")
    log.write_text(whole + '{"how": "co')
    assert undo(tmp_path / "sorted")[0] == 1


@pytest.mark.parametrize(
    ("verdict", "name"),
    [
        (RED, "Red Show"),
        (Verdict("one_of", ("A", "B", "C")), "A, B or C"),
        (Verdict("kind", ("anime",)), "anime"),
        (Verdict("unknown"), "unknown"),
        (Verdict("show", ("../AC/DC",)), "_..-AC-DC"),
        (Verdict("show", (".hidden",)), "_.hidden"),
        (Verdict("show", ("..",)), "_.."),
        (Verdict("show", ("a\0\n",)), "a--"),
        (Verdict("show", ("é" * 200,)), "é" * 100),
    ],
)
def test_folder_names(verdict: Verdict, name: str) -> None:
    assert folder_name(verdict) == name


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--into", "out"], "name the folder of GIFs"),
        (["none", "--into", "out"], "there is no such folder"),
        (["empty", "--into", "out"], "there is no GIF in this folder"),
        (["gifs", "--into", "out", "--undo"], "--undo takes --into alone"),
        (["--into", "empty", "--undo"], "nothing was sorted into it"),
        (["gifs", "--into", "gifs/a.gif"], "not a directory"),
        (["gifs", "--into", "out", "--how", "burn"], "burn"),
    ],
)
def test_usage_errors_change_nothing(
    run: Run, gifs: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    (tmp_path / "empty").mkdir()
    before = contents(tmp_path)

    done = run(*words)

    assert done.returncode == 2
    assert says in " ".join(done.stderr.replace("│", " ").split())
    assert contents(tmp_path) == before
    assert not (tmp_path / "out").exists()
