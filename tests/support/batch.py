"""Input and output of the batch command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.harness.gifs import with_comment
from tests.support.programs import Done

SaveGif = Callable[..., Path]
RunBatch = Callable[..., Done]

# The command with so few rows in a part that some hundred GIFs fill several parts.
IN_SMALL_PARTS = [
    *(sys.executable, "-c"),
    "from gateway.batch import parts; parts.PART_ROWS = 32; from gateway.cli import main; main()",
    "batch",
]
_COLOURS = ("red", "green", "blue")


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
