"""Reads the logs of servers: the files that `gif-analyzer serve` and the services write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from services.errors import os_reason
from services.inference.answers import read_log
from services.reading import bounded_lines
from training.errors import InvalidLog


def read_logs(paths: Iterable[Path], *read: Callable[[Mapping[str, Any]], Any]) -> Iterator[Any]:
    """Yield what logs say; `read` as of `read_log`.

    Raises:
        InvalidLog: a log cannot be read, or a line of it is damaged.
    """
    for path in paths:
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                yield from read_log(bounded_lines(file), *read)
        except OSError as error:
            raise InvalidLog(str(path), f"it cannot be read: {os_reason(error)}") from error
        except ValueError as error:
            raise InvalidLog(str(path), str(error)) from error
