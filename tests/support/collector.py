"""`gif-train collect` in a process of its own, beside the server that speaks Giphy's API."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.giphy_server import KEY, Library

GIF_TRAIN = Path(sys.executable).with_name("gif-train")


def write_shows(folder: Path, shows: Mapping[str, tuple[str, ...]], *, results: int = 100) -> Path:
    """A file of shows and their search words."""
    lines = [f"results = {results}"]
    for title, queries in shows.items():
        lines += ["[[show]]", f"title = {json.dumps(title)}", f"queries = {json.dumps(queries)}"]
    path = folder / "shows.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def command(library: Library, shows: Path, out: Path, *more: object) -> list[str]:
    """The words of a run that is quick to try again."""
    words = [GIF_TRAIN, "collect", "--api", library.address, "--shows", shows, "--out", out]
    return [str(word) for word in (*words, "--backoff", 0, "--timeout", 1, "--attempts", 2, "--json", *more)]


def environment(key: str = KEY) -> dict[str, str]:
    return {**os.environ, "GIPHY_API_KEY": key, "COLUMNS": "400"}


def collect(
    library: Library, shows: Path, out: Path, *more: object, key: str = KEY
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; neither a traceback nor the key is ever seen."""
    done = subprocess.run(
        command(library, shows, out, *more),
        env=environment(key),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert not key.strip() or key not in done.stdout + done.stderr
    for path in (each for each in out.rglob("*") if each.is_file()):
        content = path.read_bytes()
        assert not key.strip() or key.encode() not in content, path
        assert b"cid=" not in content, path
    return done


def table(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
