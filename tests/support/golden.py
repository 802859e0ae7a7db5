"""Compares results of tests with the golden files in tests/golden.

A golden file is named after its contents and their version, for example `perturb-1.npz`. To change it, raise
the version in the code, write the new file with `GOLDEN=write pytest FILE`, review what changed, and commit
it in place of the old one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.paths import ROOT

FOLDER = ROOT / "tests/golden"
CHANGED = "it changed: raise its version, see tests/support/golden.py"


def assert_golden_lines(name: str, version: int, found: Sequence[str]) -> None:
    """Compare lines with those of a golden text file."""
    path = _place(f"{name}-{version}.txt")
    if _is_to_be_written(path):
        path.write_text("".join(f"{line}\n" for line in found), "utf-8")

    assert list(found) == path.read_text("utf-8").splitlines(), CHANGED


def assert_golden_arrays(
    name: str, version: int, found: Mapping[str, NDArray], *, tolerance: float = 0.0
) -> None:
    """Compare arrays with those of a golden file.

    Args:
        name: what the arrays are.
        version: of the code that made them.
        found: the arrays.
        tolerance: allowed mean absolute difference of each array, in its own unit, because processors round
            the last digit of a float differently.
    """
    path = _place(f"{name}-{version}.npz")
    if _is_to_be_written(path):
        np.savez_compressed(path, **found)

    with np.load(path) as golden:
        assert set(golden.files) == set(found), CHANGED
        differences = {each: _difference(golden[each], array) for each, array in found.items()}
    assert not {each: value for each, value in differences.items() if not value <= tolerance}, CHANGED


def _place(name: str) -> Path:
    path = FOLDER / name
    assert path.exists() or _is_to_be_written(path), f"{name} is missing: write it with GOLDEN=write"
    return path


def _is_to_be_written(path: Path) -> bool:
    return os.environ.get("GOLDEN") == "write" and not path.exists()


def _difference(golden: NDArray, found: NDArray) -> float:
    """The mean absolute difference; infinite if shape or type differ."""
    if golden.shape != found.shape or golden.dtype != found.dtype:
        return float("inf")
    return float(np.abs(golden.astype(np.float64) - found).mean())
