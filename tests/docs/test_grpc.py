"""docs/grpc.md: its clients run, and its options exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks.harness.servers import start_services
from tests.support.paths import ROOT
from tests.support.programs import output_of

TEXT = (ROOT / "docs/grpc.md").read_text("utf-8")
OWN, TRITON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def run(python: Path | str, program: str, address: str) -> str:
    """What a program of the page prints, when the services are at this address."""
    return output_of(python, "-c", program.replace("localhost:50051", address))


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


def test_the_options_are_those_of_the_servers() -> None:
    named = set(re.findall(r"--[a-z-]+", "".join(re.findall(r"^\| (`--.*?) \|", TEXT, re.MULTILINE))))

    assert named
    assert named <= set(re.findall(r"--[a-z-]+", help_of("services")))


def test_the_default_model_has_the_name_of_the_page() -> None:
    from services.inference import Classifier, default_model_path

    assert f'"{Classifier(default_model_path()).model.name}"' in TRITON


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m (services[a-z_.]*[a-z])", TEXT))))
def test_every_module_named_is_a_program_with_help(module: str) -> None:
    assert re.match(rf"\s*usage: python -m {module}\s", help_of(module), re.IGNORECASE)


def help_of(module: str) -> str:
    """What a module prints with --help."""
    return output_of(sys.executable, "-m", module, "--help", COLUMNS="200")
