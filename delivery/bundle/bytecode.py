"""Byte-code: **sources in a folder** -> the target's Python -> **`.pyc` beside them**.

Lambda's folder cannot be written to: without this every cold start compiles everything again. Unchecked
hashes instead of times, because a zip's times are fixed, and because nothing in Lambda changes a source.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from delivery.errors import FailedStep
from delivery.interpreter import find_python

TASK = "/var/task"  # where Lambda unpacks a bundle: what tracebacks name


def compile_sources(folder: Path, python: str) -> None:
    """Compile every source of a folder for this minor version of Python.

    Raises:
        MissingTool: there is no such interpreter: byte-code of another version would be ignored.
        FailedStep: a source does not compile.
    """
    command = [
        *(str(find_python(python)), "-S", "-P", "-m", "compileall", "-q", "-f", "-j", "1"),
        *("--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", TASK, str(folder)),
    ]
    # The same bytes each time: sets of constants are written in the order of their hashes.
    environment = {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise FailedStep("compiling", done.stdout + done.stderr)
