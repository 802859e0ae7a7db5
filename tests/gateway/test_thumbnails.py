"""Thumbnails: their files, their shape, and what the commands of a library do with them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from gateway.cli import app
from gateway.thumbnails import Thumbnails, draw_thumbnail
from services.clip import Clip
from services.errors import LibraryError
from services.preprocess import decode_gif

SaveGif = Callable[..., Path]
ODD = "../a \N{LATIN SMALL LETTER U WITH DIAERESIS}/..\\.gif"


def run(*words: object, code: int = 0) -> dict[str, object]:
    done = CliRunner().invoke(app, ["library", *map(str, words), "--json"])
    assert done.exit_code == code, done.output
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.fixture
def library(tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIF_ANALYZER_MODEL", str(model_path))
    return tmp_path / "my.library"


def names(library: Path) -> list[str]:
    folder = Thumbnails(library).folder
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_picture_is_read_as_it_was_kept(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "my.library")

    assert not thumbnails.exist()
    assert thumbnails.read(ODD) is None
    thumbnails.keep(ODD, b"first")
    thumbnails.keep(ODD, b"second")
    thumbnails.keep("other.gif", b"other")

    assert thumbnails.read(ODD) == b"second"
    assert {path.parent for path in tmp_path.rglob("*.jpg")} == {tmp_path / "my.library.thumbnails"}
    assert len(names(tmp_path / "my.library")) == 2  # no unfinished file beside them
    thumbnails.discard([ODD, "never kept.gif"])
    assert (thumbnails.read(ODD), thumbnails.read("other.gif")) == (None, b"other")


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "my.library.thumbnails").write_text("a file")

    with pytest.raises(
        LibraryError, match=r"my\.library\.thumbnails: a thumbnail cannot be written: file exists"
    ):
        Thumbnails(tmp_path / "my.library").keep("a.gif", b"picture")


def test_a_thumbnail_is_small_and_has_the_shape_of_the_gif(
    letterboxed: bytes, clip_of: Callable[..., Clip]
) -> None:
    with Image.open(io.BytesIO(draw_thumbnail(decode_gif(letterboxed)))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (160, 90))
    with Image.open(io.BytesIO(draw_thumbnail(clip_of((255, 0, 0))))) as picture:
        assert picture.size == (120, 120)


def test_add_keeps_thumbnails_only_when_asked(library: Path, save_gif: SaveGif) -> None:
    red = save_gif("red.gif", "red")

    run("add", "Red Show", red, "--library", library)
    assert names(library) == []
    run("add", "Red Show", red, "--library", library, "--keep-thumbnails")

    picture = Thumbnails(library).read(str(red))
    assert picture is not None
    with Image.open(io.BytesIO(picture)) as shown:
        assert shown.size == (139, 104)  # 4:3
        pixel = shown.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200
    assert pixel[1] < 60


def test_a_clip_that_is_replaced_does_not_keep_the_old_picture(library: Path, save_gif: SaveGif) -> None:
    path = save_gif("a.gif", "red")
    run("add", "Red Show", path, "--library", library, "--keep-thumbnails")

    save_gif("a.gif", "lime")
    run("add", "Green Show", path, "--library", library)

    assert names(library) == []


@pytest.mark.parametrize("by_show", [True, False])
def test_remove_removes_thumbnails(library: Path, save_gif: SaveGif, by_show: bool) -> None:
    red, green = save_gif("red.gif", "red"), save_gif("green.gif", "lime")
    run("add", "Red Show", red, "--library", library, "--keep-thumbnails")
    run("add", "Green Show", green, "--library", library, "--keep-thumbnails")

    run("remove", *(("--show", "Red Show") if by_show else (red,)), "--library", library)

    assert Thumbnails(library).read(str(red)) is None
    assert Thumbnails(library).read(str(green)) is not None


def test_merge_copies_thumbnails_when_asked(library: Path, save_gif: SaveGif, tmp_path: Path) -> None:
    first, second = tmp_path / "first.library", tmp_path / "second.library"
    red, green = save_gif("red.gif", "red"), save_gif("green.gif", "lime")
    run("add", "Red Show", red, "--library", first, "--keep-thumbnails")
    run("add", "Green Show", green, "--library", first)
    run("add", "Green Show", green, "--library", second, "--keep-thumbnails")

    run("merge", first, second, "--library", library)
    assert names(library) == []
    run("merge", first, second, "--library", library, "--keep-thumbnails")

    assert Thumbnails(library).read(str(red)) == Thumbnails(first).read(str(red))
    assert Thumbnails(library).read(str(green)) == Thumbnails(second).read(str(green))
    assert len(names(library)) == 2


def test_merge_removes_the_picture_of_a_clip_that_was_replaced(
    library: Path, save_gif: SaveGif, tmp_path: Path
) -> None:
    path = save_gif("a.gif", "red")
    run("add", "Red Show", path, "--library", library, "--keep-thumbnails")
    save_gif("a.gif", "lime")
    run("add", "Green Show", path, "--library", tmp_path / "other.library")

    run("merge", tmp_path / "other.library", "--library", library, "--keep-thumbnails")

    assert names(library) == []
