"""Libraries that report more than news: **a logger's name** -> only its errors are heard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def only_errors(logger: str | None = None) -> Iterator[None]:
    """Let a logger pass on errors alone, within a `with`; None is the root of all."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
