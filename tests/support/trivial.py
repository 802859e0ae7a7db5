"""Subjects that do almost nothing, for tests of the benchmark."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.bench.worker import Subject


def echo(version: str = "echo 1") -> Subject:
    """Return the item as a number; fail if it is not one."""
    return Subject(version, int, check=lambda answer: answer)


def chatty() -> Subject:
    """Print to standard output, where the replies go."""
    return Subject("chatty 1", lambda item: (sys.stdout.write("noise\n"), os.write(1, b"more\n")))


def four_at_once() -> Subject:
    return Subject("four 1", int, units=4)


def leaving_a_trace(path: str) -> Subject:
    return Subject("trace 1", int, close=lambda: Path(path).write_text("ended", "utf-8") and None)


def dying() -> Subject:
    """End the process, as a library that crashes does."""
    return Subject("dying 1", lambda item: sys.stderr.write("segmentation fault\n") and os._exit(3))


def needs_a_missing_library() -> Subject:
    import no_such_library  # noqa: F401

    raise AssertionError


def loader(item: str) -> int:
    return int(item) * 2


def loading() -> Subject:
    return Subject("loading 1", lambda given: given + 1, load=loader, check=lambda answer: answer)
