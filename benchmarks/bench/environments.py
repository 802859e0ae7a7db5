"""Installs each line of `peers.txt` in a virtual environment of its own, and finds the interpreters.

What cannot be installed is remembered with its reason, and the others are installed all the same.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import typer

from benchmarks import ROOT

LIST = Path(__file__).with_name("peers.txt")
FOLDER = ROOT / ".venv/peers"
INSTALL_S = 540  # for one environment


class Absent(Exception):
    """A contender cannot be measured; the message says why."""


def read_list(path: Path = LIST) -> Mapping[str, tuple[str, ...]]:
    """Return the packages of each environment by its name, as pip takes them."""
    lines = [line.split("#")[0].strip() for line in path.read_text("utf-8").splitlines()]
    named = (line.partition(":") for line in lines if line)
    return {name.strip(): tuple(packages.split()) for name, _, packages in named}


def interpreter(name: str, folder: Path = FOLDER) -> Path:
    """Return the Python of an environment.

    Raises:
        Absent: it was never installed, or could not be.
    """
    failed = folder / f"{name}.failed"
    if failed.is_file():
        raise Absent(f"does not install: {failed.read_text('utf-8').strip()}")
    python = folder / name / "bin/python"
    if not (folder / name / "installed").is_file() or not python.exists():
        raise Absent("not installed: make .venv/peers/ready")
    return python


def install(name: str, packages: tuple[str, ...], folder: Path = FOLDER) -> None:
    """Make one environment, unless it is installed with exactly these packages.

    Raises:
        Absent: it cannot be made; remembered until the next try.
    """
    place, failed = folder / name, folder / f"{name}.failed"
    stamp = place / "installed"
    wanted = " ".join(packages)
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    failed.unlink(missing_ok=True)
    uv = str(Path(sys.executable).with_name("uv"))
    try:
        _run(uv, "venv", "-q", "--clear", "-p", sys.executable, str(place))
        _run(uv, "pip", "install", "-q", "-p", str(place / "bin/python"), *packages)
    except Absent as error:
        failed.write_text(f"{error}\n", "utf-8")
        raise
    stamp.write_text(wanted, "utf-8")


def install_all() -> None:
    """Install the peers that `bench` measures, each in an environment of its own."""
    for name, packages in read_list().items():
        try:
            install(name, packages)
        except Absent as error:
            typer.echo(f"peer {name}: {error}", err=True)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(str(error)) from error
    if done.returncode:
        # Without the lines and arrows that uv draws around its words.
        words = [word for word in done.stderr.split() if word.isascii()]
        raise Absent(" ".join(words)[:300] or f"exit code {done.returncode}")
