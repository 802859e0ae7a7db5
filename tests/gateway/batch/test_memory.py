"""Memory does not grow with the input."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("daft", reason="This test needs Daft, which is not installed: make setup.")
from tests.support.batch import SaveGif, make_many
from tests.support.programs import command

GIFS = 200
MARGIN_KIB = 64 * 1024  # of 600 more clips, each 1,470 KiB, no more than 44 could be held


def test_memory_does_not_grow_with_the_input(
    environ: dict[str, str], save_gif: SaveGif, tmp_path: Path
) -> None:
    make_many(tmp_path / "few", save_gif, GIFS)
    make_many(tmp_path / "many", save_gif, 4 * GIFS)

    few, many = (_peak_kib(environ, tmp_path, folder) for folder in ("few", "many"))

    assert many < few + MARGIN_KIB


def _peak_kib(environ: dict[str, str], place: Path, folder: str) -> int:
    """The most memory that the command or one of its workers ever held, in KiB."""
    words = ("batch", folder, "--out", f"{folder}.parquet", "--workers", "1")
    process = subprocess.Popen(
        command("gif-analyzer", *words), env=environ, cwd=place, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss
