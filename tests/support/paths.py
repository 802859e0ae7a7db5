"""Where things lie: the repository, its examples, and the footage beside it.

The footage and the decoder corpus belong to others and are not part of the project. A clone elsewhere has
none, and the tests that need them, which carry the marker `corpus`, are skipped there.
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
    """The files of the corpus in the repository, in any format that is read."""
    suffixes = (".gif", ".jpg", ".png", ".webp")
    return sorted(path for path in CORPUS.glob("*/*") if path.suffix in suffixes)


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none where there is no such file, as in a clone without the shared GIFs."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
