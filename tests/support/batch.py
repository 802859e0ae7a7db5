"""Input and output of the batch command."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.harness.gifs import with_comment
from tests.support.programs import Done

SaveGif = Callable[..., Path]
RunBatch = Callable[..., Done]
Popen = subprocess.Popen[str]

# The command with so few rows in a part that some hundred GIFs fill several parts.
IN_SMALL_PARTS = [
    *(sys.executable, "-c"),
    "from gateway.batch import parts; parts.PART_ROWS = 32; from gateway.cli import main; main()",
]
_COLOURS = ("red", "green", "blue")


@contextlib.contextmanager
def begun(*words: str, environ: dict[str, str], folder: Path) -> Iterator[Popen]:
    """A command of gif-analyzer in small parts, with two workers, of which the first part is on the disk."""
    with subprocess.Popen(
        [*IN_SMALL_PARTS, *words, "--workers", "2"],
        env=environ,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 120
        while not list(folder.glob("*.parts/part-*.parquet")) and time.monotonic() < end:
            assert process.poll() is None
            time.sleep(0.02)
        yield process


def make_many(folder: Path, save_gif: SaveGif, count: int) -> None:
    """Write small GIFs that all differ by a comment."""
    folder.mkdir(exist_ok=True)
    patterns = [save_gif(f"{colour}.gif", colour, colour).read_bytes() for colour in _COLOURS]
    for index in range(count):
        gif = with_comment(patterns[index % len(_COLOURS)], f"{index:08d}")
        (folder / f"{index:06d}.gif").write_bytes(gif)


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of an output by their source; each source must occur once."""
    rows = pq.read_table(path).to_pylist()
    by_source = {row["source"]: row for row in rows}
    assert len(by_source) == len(rows)
    return by_source
