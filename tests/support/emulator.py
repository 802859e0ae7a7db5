"""Marks to skip tests where Lambda's emulator is missing, and unpacked bundles for it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from benchmarks.harness.emulator import missing_part

PYTHON = "3.13"  # of the function


def needs_emulator_for(python: str) -> pytest.MarkDecorator:
    """Skip if a function of this Python version cannot be emulated; the reason says what is missing."""
    reason = missing_part(python)
    return pytest.mark.skipif(reason is not None, reason=reason or "")


needs_emulator = needs_emulator_for(PYTHON)


def unpack(bundle: Path, folder: Path) -> Path:
    """Unpack a zip into a new folder inside `folder`, as Lambda does into /var/task."""
    task = folder / bundle.stem
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(task)
    return task
