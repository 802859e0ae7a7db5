"""Reads the logs of servers: the files that `gif-analyzer serve` and the services write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from services.errors import os_reason
from services.inference.answers import Answer, read_answer, read_log
from services.reading import bounded_lines
from training.errors import InvalidLog


@contextlib.contextmanager
def log_lines(path: Path) -> Iterator[Iterator[str]]:
    """Open a log, and yield its lines.

    Raises:
        InvalidLog: it cannot be read, or the block raises a ValueError: a line is damaged.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield bounded_lines(file)
    except OSError as error:
        raise InvalidLog(str(path), f"it cannot be read: {os_reason(error)}") from error
    except ValueError as error:
        raise InvalidLog(str(path), str(error)) from error


def answers_in(path: Path) -> list[Answer]:
    """Return the answers of a log.

    Raises:
        InvalidLog: it cannot be read, or the line of an answer is damaged.
    """
    with log_lines(path) as lines:
        return list(read_log(lines, read_answer))
