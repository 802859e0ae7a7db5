"""What tests under the Lambda emulator share: folders that are bundles, and a reason to skip.

from tests.support.emulator import needs_emulator, unpack

@needs_emulator
def test_it(bundle: Path, tmp_path: Path) -> None:
    with Emulator(unpack(bundle, tmp_path), python=PYTHON) as function:
        assert function.ask(Request("GET", "/health/ready")).status == 200
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from benchmarks.harness.emulator import missing_part

PYTHON = "3.13"  # of the function


def needs_emulator_for(python: str) -> pytest.MarkDecorator:
    """Skip, saying what is missing, where a function of this Python cannot be emulated."""
    reason = missing_part(python)
    return pytest.mark.skipif(reason is not None, reason=reason or "")


needs_emulator = needs_emulator_for(PYTHON)


def unpack(bundle: Path, folder: Path) -> Path:
    """Unpack a zip into a new folder inside `folder`, as Lambda does into /var/task."""
    task = folder / bundle.stem
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(task)
    return task
