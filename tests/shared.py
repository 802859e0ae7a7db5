"""Where the footage and the decoder corpus are, for tests that need them.

They belong to others and are not part of the project: a clone elsewhere has none, and these tests skip there.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("GIF_ANALYZER_SHARED", Path(__file__).parents[2] / "shared"))

needs_shared = pytest.mark.skipif(
    not (SHARED / "corpus" / "chromium.csv").is_file(),
    reason="needs the shared GIFs: a folder ../shared, or GIF_ANALYZER_SHARED naming it",
)


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file in the shared folder; none where there is no such folder."""
    path = SHARED / name
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
