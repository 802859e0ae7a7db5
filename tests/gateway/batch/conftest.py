"""The command as people run it."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from tests.support import programs
from tests.support.batch import RunBatch
from tests.support.paths import ROOT


@pytest.fixture
def variables(model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables that name the mean-colour model, and hide TensorFlow as where batch alone is installed.

    Daft's workers import TensorFlow where it is installed, which takes seconds each.
    """
    hidden = tmp_path_factory.mktemp("hidden")
    (hidden / "tensorflow.py").write_text("raise ModuleNotFoundError('not installed', name='tensorflow')\n")
    return {"GIF_ANALYZER_MODEL": str(model_path), "PYTHONPATH": f"{hidden}{os.pathsep}{ROOT}"}


@pytest.fixture
def environ(variables: dict[str, str]) -> dict[str, str]:
    """The environment of a process of its own."""
    return programs.environ(**variables)


@pytest.fixture
def run_batch(variables: dict[str, str], tmp_path: Path) -> RunBatch:
    """A function that runs the command to its end in tmp_path: arguments, variables.

    In a process of its own: Daft takes an engine once, and the variables of its workers from the start.
    """
    return functools.partial(programs.run, "gif-analyzer", "batch", cwd=tmp_path, **variables)
