"""Runs the programs of this project for tests.

`call` runs a program in this process, which takes milliseconds. `run` and `command` are for a process of its
own, to test signals, pipes, encodings, start and end.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from typer.testing import CliRunner

from tests.support.paths import ROOT

Done = subprocess.CompletedProcess[str]

MODULES = {
    "gif-analyzer": "gateway.cli",
    "gif-train": "training.cli",
    "gif-deliver": "delivery.cli",
    "services": "services.__main__",
}
TIMEOUT_S = 300  # to import everything on a busy machine


# A shell starts background programs with SIGINT ignored, and child processes inherit that.
HEED_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"


def command(program: str, *words: str | Path) -> list[str]:
    """The command line that starts a program from this checkout."""
    start = f"{HEED_INTERRUPTS}; from {MODULES[program]} import main; main()"
    return [sys.executable, "-c", start, *map(str, words)]


def environ(**variables: str) -> dict[str, str]:
    """The variables of this process, without its settings of the project, for a new process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIF_ANALYZER_")}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def output_of(*words: str | Path, **variables: str) -> str:
    """Run any command in the checkout, in a process of its own; it must succeed. Returns what it prints."""
    done = subprocess.run(
        list(map(str, words)),
        env={**os.environ, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(program: str, *words: str | Path, stdin: bytes = b"", cwd: Path = ROOT, **variables: str) -> Done:
    """Run a program to its end in a process of its own."""
    return _end(command(program, *words), stdin, cwd, variables)


def python(text: str, *words: str | Path, stdin: str = "", cwd: Path = ROOT, **variables: str) -> Done:
    """Run the text of a program to its end in a process of its own, with the variables of `environ`."""
    return _end([sys.executable, "-c", text, *map(str, words)], stdin.encode(), cwd, variables)


def _end(words: list[str], stdin: bytes, cwd: Path, variables: dict[str, str]) -> Done:
    done = subprocess.run(
        words,
        input=stdin,
        env=environ(**variables),
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    return Done(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@contextlib.contextmanager
def started(words: list[str], **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of this project: its process, and the address that it says first. At the end it is killed."""
    with subprocess.Popen(
        words, env=environ(**variables), cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, address_of(process)
        finally:
            process.kill()


def address_of(process: subprocess.Popen[str]) -> str:
    """The address that a server says next."""
    assert process.stderr is not None
    line = json.loads(process.stderr.readline())
    assert line["message"] == "serving"
    return str(line["address"])


def call(program: str, *words: str | Path, stdin: bytes = b"", cwd: Path = ROOT, **variables: str) -> Done:
    """Run a program to its end in this process."""
    main = importlib.import_module(MODULES[program]).main
    words = tuple(map(str, words))
    with (
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ, environ(**variables), clear=True),
        mock.patch.object(sys, "argv", [program, *words]),
        _logging_kept(),
        CliRunner().isolation(stdin) as (output, errors, _),
    ):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
        return Done([program, *words], code, output.getvalue().decode(), errors.getvalue().decode())


@contextlib.contextmanager
def _logging_kept() -> Iterator[None]:
    """Restore the root logger: the handler of a program writes to a stream that is closed at its end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
