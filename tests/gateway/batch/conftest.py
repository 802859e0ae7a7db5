"""The command in a process of its own, as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.paths import ROOT

COMMAND = [sys.executable, "-c", "from gateway.cli import main; main()", "batch"]
RunBatch = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environ(model_path: Path) -> dict[str, str]:
    """An environment that names the mean-colour model."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIF_ANALYZER_")}
    return {**kept, "GIF_ANALYZER_MODEL": str(model_path), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def run_batch(environ: dict[str, str], tmp_path: Path) -> RunBatch:
    """A function that runs the command to its end in tmp_path: arguments, further variables."""

    def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env={**environ, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    return run


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of an output by their source, each of which must be there once."""
    rows = pq.read_table(path).to_pylist()
    by_source = {row["source"]: row for row in rows}
    assert len(by_source) == len(rows)
    return by_source
