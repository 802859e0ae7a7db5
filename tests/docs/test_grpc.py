"""docs/grpc.md: its programs run, its tables are those of the code."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.harness.servers import start_services
from services.errors import catalogue
from services.inference.rpc import open_classifier
from services.rpc.program import server_settings
from tests.support.paths import ROOT

TEXT = (ROOT / "docs/grpc.md").read_text("utf-8")
OWN, TRITON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def run(python: Path | str, program: str, address: str) -> str:
    """What a program of the page prints, when the services are at this address."""
    done = subprocess.run(
        [python, "-c", program.replace("localhost:50051", address)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_client_of_our_own_runs(model_path: Path) -> None:
    with start_services("--model", str(model_path)) as services:
        printed = run(sys.executable, OWN, services.address)

    assert re.fullmatch("((Red|Green|Blue) Show|unknown)\n", printed)


@pytest.mark.tools
def test_the_client_of_triton_runs(model_path: Path) -> None:
    if not (ROOT / ".venv/triton/ready").exists():
        pytest.skip("This test needs tritonclient, which is not installed: make .venv/triton/ready.")
    with start_services("--model", str(model_path)) as services:
        printed = run(
            ROOT / ".venv/triton/bin/python", TRITON.replace("gif-shows", "mean-colour"), services.address
        )

    assert printed.startswith("[[0.33")
    assert printed.endswith("[b'unknown']\n")


def test_the_table_of_errors_is_that_of_the_catalogue() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([A-Z_]+)` \| `(\w+)` \|$", TEXT, re.MULTILINE)

    assert len(rows) == 9
    for reason, code, name in rows:
        assert (catalogue()[reason].grpc_code, catalogue()[reason].__name__) == (code, name)


def test_the_options_named_are_those_of_the_servers() -> None:
    named = set(re.findall(r"^\| (`--.*?) \|", TEXT, re.MULTILINE))
    options = {option for row in named for option in re.findall(r"--[a-z-]+", row)}

    assert options
    taken = [*inspect.signature(server_settings).parameters, *inspect.signature(open_classifier).parameters]
    assert options <= {f"--{name.replace('_', '-')}" for name in taken}


def test_the_default_model_has_the_name_of_the_page() -> None:
    from services.inference import Classifier, default_model_path

    assert f'"{Classifier(default_model_path()).model.name}"' in TRITON


@pytest.mark.parametrize("module", re.findall(r"python -m ([a-z_.]+[a-z])", TEXT))
def test_every_module_named_is_a_program_with_help(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr
    assert f"usage: python -m {module}" in done.stdout.lower()
