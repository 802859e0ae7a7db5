"""The clients among the examples, run against the services in a process of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from benchmarks.harness.servers import start_services
from tests.support.models import SHOWS, mean_colour_model
from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(mean_colour_model(), path)
    with start_services("--model", str(path)) as services:
        yield services.address


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a client; where grpcurl is missing, a stand-in for it is found."""
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    if shutil.which("grpcurl") is None:
        folders.insert(1, str(Path(__file__).parent))
    environ = {**os.environ, "PATH": os.pathsep.join(folders)}
    return subprocess.run(words, env=environ, capture_output=True, text=True, check=False, timeout=240)


def test_the_client_in_python_names_the_shows(address: str) -> None:
    done = run(sys.executable, EXAMPLES / "grpc_client.py", EXAMPLES / "meadow.gif", address)

    assert (done.returncode, done.stderr) == (0, "")
    verdict, *ranked = done.stdout.splitlines()
    assert verdict in ("unknown", *SHOWS)
    assert {line.split("  ")[-1] for line in ranked} == set(SHOWS)


def test_the_client_in_python_says_what_is_wrong(address: str) -> None:
    done = run(sys.executable, EXAMPLES / "grpc_client.py", EXAMPLES / "README.md", address)

    assert done.returncode == 1
    assert done.stderr == "INVALID_ARGUMENT: not a GIF, WebP, PNG or JPEG: this is plain text\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="This test needs bash, which is not installed.")
def test_the_client_in_shell_names_the_shows(address: str) -> None:
    done = run(EXAMPLES / "grpc_client.sh", EXAMPLES / "meadow.gif", address)

    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert {ranked["show"] for ranked in answer["shows"]} == set(SHOWS)
    assert answer["verdict"]["text"] in ("unknown", *SHOWS)
    assert len(answer["votes"]) == 10
    assert answer["model"]["name"] == "mean-colour"


@pytest.mark.skipif(shutil.which("bash") is None, reason="This test needs bash, which is not installed.")
def test_the_client_in_shell_says_what_is_wrong(address: str) -> None:
    done = run(EXAMPLES / "grpc_client.sh", EXAMPLES / "README.md", address)

    assert done.returncode != 0
    assert "not a GIF, WebP, PNG or JPEG: this is plain text" in done.stderr
