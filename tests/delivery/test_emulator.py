"""The emulator itself, with a function of a few lines."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest

from benchmarks.harness.emulator import Emulator
from delivery.bundle.python import find_python
from delivery.request import Request, to_event
from tests.support.emulator import PYTHON, needs_emulator

LISTEN, LOOPBACK = "0A", "0100007F:"  # as in /proc/net/tcp

FUNCTION = """
import os, sys

def handler(event, context):
    return {"version": sys.version, "path": sys.path, "cwd": os.getcwd(), "event": event,
            "modules": sorted(sys.modules)}

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
def test_a_function_sees_its_bundle_and_no_installed_package(task: Path) -> None:
    with Emulator(task, python=PYTHON, handler="function.handler") as function:
        answer = function.invoke({"a": 1})
        peak = function.peak_memory_bytes()

    assert answer["event"] == {"a": 1}
    assert answer["version"].startswith(PYTHON)
    assert answer["cwd"] == answer["path"][0] == str(task)
    assert not [entry for entry in answer["path"] if "site-packages" in entry]
    assert not {"site", "numpy"} & set(answer["modules"])
    assert not list(task.rglob("*.pyc"))
    assert 5e6 < peak < 500e6


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


def test_only_bytes_are_sent_in_base64() -> None:
    text = to_event(Request("POST", "/", headers={"content-type": "application/json"}, body=b'{"a": 1}'))
    gif = to_event(Request("POST", "/", headers={"content-type": "image/gif"}, body=b"GIF89a"))

    assert (text["body"], text["isBase64Encoded"]) == ('{"a": 1}', False)
    assert (base64.b64decode(gif["body"]), gif["isBase64Encoded"]) == (b"GIF89a", True)


def test_the_interpreter_that_runs_the_tests_is_found() -> None:
    assert find_python(f"3.{sys.version_info.minor}") == Path(sys.executable)
