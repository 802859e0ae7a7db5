"""The emulator itself, with a function of a few lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.emulator import Emulator
from delivery.request import Request
from tests.support.emulator import PYTHON, needs_emulator

LISTEN, LOOPBACK = "0A", "0100007F:"  # as in /proc/net/tcp

FUNCTION = """
def handler(event, context):
    return event

def failing(event, context):
    raise ValueError("not this one")
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A bundle of one module."""
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "function.py").write_text(FUNCTION)
    return folder


@needs_emulator
def test_an_exception_of_the_function_is_reported(task: Path) -> None:
    with Emulator(task, python=PYTHON, handler="function.failing") as function:
        answer = function.invoke({})

        with pytest.raises(ValueError, match="the function failed: ValueError: not this one"):
            function.ask(Request("GET", "/"))
        assert answer["errorMessage"] == "not this one"


@needs_emulator
def test_it_listens_on_loopback_only(task: Path) -> None:
    with Emulator(task, python=PYTHON, handler="function.handler") as function:
        function.invoke({})
        files = [path.readlink().name for path in Path(f"/proc/{function.process.pid}/fd").iterdir()]
        own = {
            name.removeprefix("socket:[").removesuffix("]") for name in files if name.startswith("socket:")
        }
        tables = [Path(f"/proc/{function.process.pid}/net/{table}").read_text() for table in ("tcp", "tcp6")]
        rows = [line.split() for table in tables for line in table.splitlines()[1:]]

    listening = [row[1] for row in rows if row[9] in own and row[3] == LISTEN]
    assert len(listening) == 2
    assert all(address.startswith(LOOPBACK) for address in listening)
