"""Writes a file whole or not at all, in place of an earlier one."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a new path in the same folder; the file that is written there takes the place of `path`.

    It does so when the block ends and the file is on the disk. After an error or an interruption it is
    removed. Its permissions are those that the umask gives to every file.
    """
    partial = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")  # NumPy looks at the suffix
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
