"""Runs `gif-train collect` with the Giphy server of the tests, in this process or in one of its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from tests.support import programs
from tests.support.giphy_server import KEY, Library


def write_shows(folder: Path, shows: Mapping[str, tuple[str, ...]], *, results: int = 100) -> Path:
    """Write a file of shows and their search words."""
    lines = [f"results = {results}"]
    for title, queries in shows.items():
        lines += ["[[show]]", f"title = {json.dumps(title)}", f"queries = {json.dumps(queries)}"]
    path = folder / "shows.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def words(library: Library, shows: Path, out: Path, *more: object) -> list[str]:
    """The arguments of a run that retries quickly."""
    asked = ("collect", "--api", library.address, "--shows", shows, "--out", out)
    return [str(word) for word in (*asked, "--backoff", 0, "--timeout", 1, "--attempts", 2, "--json", *more)]


def command(library: Library, shows: Path, out: Path, *more: object) -> list[str]:
    """The command line of a process of its own."""
    return programs.command("gif-train", *words(library, shows, out, *more))


def environment(key: str = KEY) -> dict[str, str]:
    return programs.environ(GIPHY_API_KEY=key, COLUMNS="400")


def collect(library: Library, shows: Path, out: Path, *more: object, key: str = KEY) -> programs.Done:
    """Run it in this process; check that neither a traceback nor the key appears."""
    asked = words(library, shows, out, *more)
    done = programs.call("gif-train", *asked, GIPHY_API_KEY=key, COLUMNS="400")
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
