"""Paths: the repository, its examples, and the footage beside it.

The footage belongs to others and is not part of the project. Where it is missing, tests with the marker
`corpus` are skipped.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CORPUS = ROOT / "tests/corpus"
SHARED = Path(os.environ.get("GIFS_SHARED", ROOT.parent / "shared"))


def corpus_files() -> list[Path]:
    """The files of the corpus in the repository, in every supported format."""
    suffixes = (".gif", ".jpg", ".png", ".webp")
    return sorted(path for path in CORPUS.glob("*/*") if path.suffix in suffixes)


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none if it is missing, as in a clone without the shared GIFs."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
