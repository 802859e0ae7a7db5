"""Byte-code: **sources in a folder** -> the target's Python -> **`.pyc` beside them**.

Lambda's folder cannot be written to: without this every cold start compiles everything again. Unchecked
hashes instead of times, because a zip's times are fixed, and because nothing in Lambda changes a source.

Of packages that others wrote the byte-code stays alone: their sources are 2.2 MB of the zip, and all that
they would add is the quoted line in a traceback. Our own sources stay.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from delivery.errors import FailedStep
from delivery.interpreter import find_python

TASK = "/var/task"  # where Lambda unpacks a bundle: what tracebacks name


def compile_sources(folder: Path, python: str, *, keep: Collection[str]) -> None:
    """Compile every source of a folder for a minor version of Python.

    Args:
        folder: that will be Lambda's.
        python: minor version of the target.
        keep: folders in it whose sources stay beside their byte-code; the others' are deleted.

    Raises:
        MissingTool: there is no such interpreter: byte-code of another version would be ignored.
        FailedStep: a source does not compile.
    """
    interpreter = find_python(python)
    kept = [folder / name for name in keep]
    others = [path for path in sorted(folder.iterdir()) if path not in kept]
    _compile(interpreter, folder, kept)
    _compile(interpreter, folder, others, "-b")  # `-b`: where Python looks when there is no source
    for path in others:
        for source in path.rglob("*.py") if path.is_dir() else [path]:
            if source.with_suffix(".pyc").exists():
                source.unlink()


def _compile(interpreter: Path, folder: Path, paths: Sequence[Path], *options: str) -> None:
    command = [
        *(str(interpreter), "-S", "-P", "-m", "compileall", "-q", "-f", "-j", "1", *options),
        *("--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", TASK),
        *(str(path) for path in paths if path.is_dir() or path.suffix == ".py"),
    ]
    # The same bytes each time: sets of constants are written in the order of their hashes.
    environment = {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise FailedStep("compiling", done.stdout + done.stderr)
