from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from gateway.files import read_gif
from services.errors import GifTooLarge, UnreadableFile


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "some.gif"
    path.write_bytes(b"GIF89a")

    assert read_gif(str(path), max_bytes=6) == b"GIF89a"


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.gif"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: it takes no room

    with pytest.raises(GifTooLarge, match="limited to 25,000,000 bytes, this one has 10,000,000,000"):
        read_gif(str(path), max_bytes=25_000_000)


@pytest.mark.skipif(
    not Path("/dev/zero").exists(),
    reason="This test needs the device /dev/zero, which this system does not have.",
)
def test_endless_file_is_cut_at_the_limit() -> None:
    with pytest.raises(GifTooLarge, match="this one has at least 1,001"):
        read_gif("/dev/zero", max_bytes=1_000)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipe_or_device_is_refused_at_once_where_a_file_is_expected(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "pipe.gif"
    os.mkfifo(path)

    with pytest.raises(UnreadableFile, match="it is not a regular file"):
        read_gif(str(path) if kind == "pipe" else os.devnull, max_bytes=1_000, regular=True)


def test_pipe_that_a_person_names_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe.gif"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"GIF89a",))
    writer.start()

    assert read_gif(str(path), max_bytes=6) == b"GIF89a"
    writer.join()


def test_standard_input_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"GIF89a")))

    assert read_gif("-", max_bytes=6) == b"GIF89a"


def test_standard_input_is_read_no_further_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    source = io.BytesIO(b"GIF89a" * 1000)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(source))

    with pytest.raises(GifTooLarge, match="this one has at least 6"):
        read_gif("-", max_bytes=5)

    assert source.tell() == 6


def test_closed_standard_input_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(UnreadableFile, match="it is closed"):
        read_gif("-", max_bytes=5)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.gif", "there is no such file"),
        ("", "there is no such file"),
        (".", "it is a directory"),
        ("nul\0.gif", "null byte"),
        ("x" * 5000, "file name too long"),
    ],
)
def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UnreadableFile, match=says) as caught:
        read_gif(name, max_bytes=100)

    assert caught.value.details["path"] == name


@pytest.mark.skipif(
    os.geteuid() == 0, reason="This test needs a file that cannot be read, and root may read every file."
)
def test_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.gif"
    path.touch(mode=0)

    with pytest.raises(UnreadableFile, match="permission denied"):
        read_gif(str(path), max_bytes=100)
