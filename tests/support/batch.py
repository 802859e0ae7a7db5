"""The batch command, its input and its output."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.support.programs import Done

SaveGif = Callable[..., Path]
RunBatch = Callable[..., Done]

# The command with parts so small that some hundred GIFs fill several.
IN_SMALL_PARTS = [
    *(sys.executable, "-c"),
    "from gateway.batch import parts; parts.PART_ROWS = 32; from gateway.cli import main; main()",
    "batch",
]
_COLOURS = ("red", "green", "blue")


def make_many(folder: Path, save_gif: SaveGif, count: int) -> None:
    """Real small GIFs whose bytes all differ by a comment behind the first blocks."""
    folder.mkdir(exist_ok=True)
    patterns = [save_gif(f"{colour}.gif", colour, colour).read_bytes() for colour in _COLOURS]
    for index in range(count):
        pattern = patterns[index % len(_COLOURS)]
        comment = b"\x21\xfe\x08%08d\x00" % index
        (folder / f"{index:06d}.gif").write_bytes(pattern[:-1] + comment + pattern[-1:])


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of an output by their source, each of which must be there once."""
    rows = pq.read_table(path).to_pylist()
    by_source = {row["source"]: row for row in rows}
    assert len(by_source) == len(rows)
    return by_source
