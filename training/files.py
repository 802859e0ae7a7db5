"""Files: reads YAML, writes JSON and CSV, and tells digests and relative paths."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from services.files import replacing, write_text


def parse_yaml(text: str) -> Any:
    """Parse YAML.

    Raises:
        ValueError: it is something else, nested too deeply, or holds a value that its tag does not fit.
    """
    import yaml  # noqa: PLC0415 - comes with MLflow and with huggingface_hub

    try:
        return yaml.safe_load(text)
    # What PyYAML raises for a value that its tag or its form does not fit, such as the day 2026-99-99.
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(str(error)) from error


def write_json(path: Path, values: Any, **options: Any) -> None:
    """Write values as indented JSON; options are those of `json.dumps`."""
    write_text(path, json.dumps(values, indent=1, **options) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file in UTF-8: a header, then a line for each row, with a value for each column."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def sha256_of(path: Path) -> str:
    """Return the digest of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def relative_path(path: Path, folder: Path) -> str:
    """Return the path of a file relative to a folder, with `/`.

    Links to folders are followed, so that `..` leads where it should; a link to the file itself is not.
    """
    return Path(os.path.relpath(path.parent.resolve() / path.name, folder.resolve())).as_posix()
