"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.files import replacing, write_text


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_unfinished_write_keeps_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")

    with pytest.raises(error), replacing(path) as partial:
        partial.write_text("half")
        raise error

    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]


def test_a_file_that_cannot_take_its_place_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()

    with pytest.raises(IsADirectoryError):
        write_text(path, "text")

    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_has_the_permissions_of_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    path = tmp_path / "some.txt"
    before = os.umask(umask)
    try:
        write_text(path, "grüße\n")
    finally:
        os.umask(before)

    assert path.read_bytes() == "grüße\n".encode()
    assert path.stat().st_mode & 0o777 == mode


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"

    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")

    assert first.suffix == second.suffix == ".npz"  # NumPy appends it to other names
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]
