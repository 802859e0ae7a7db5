"""Watches the log of the whole suite for addresses: it must never say which GIF somebody looks at."""

from __future__ import annotations

import logging
import re

# The loggers of what serves. A batch and a collection are run by those whose files they name.
SERVING = ("gateway", "services", "uvicorn", "httpcore", "asyncio", "mangum")
OF_OPERATORS = ("gateway.batch", "gateway.commands")
_PRIVATE = re.compile(
    r"[a-z][a-z0-9+.-]*://[^/?#\s\"'<>]+[/?#][^\s\"'<>]"  # an address with a path or a query
    r"|[/\w]\?[\w%.-]+="  # a query
)
_STANDARD = frozenset(vars(logging.makeLogRecord({})))


def private_part(line: str) -> str | None:
    """What a line of the log says of an address beside its host; None if it says nothing."""
    found = _PRIVATE.search(line)
    return found and line[found.start() : found.end() + 40]


class PrivateLog(logging.Handler):
    """Collects the lines that say too much."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def install(self) -> None:
        """Watch from now on, from INFO on, as a server that runs."""
        for name in SERVING:
            logger = logging.getLogger(name)
            logger.addHandler(self)
            if name in ("gateway", "services"):
                logger.setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a record with all its fields, and at the exception with its traceback."""
        if record.name.startswith(OF_OPERATORS):
            return
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line = f"{self.format(record)} {fields}"
        if part := private_part(line):
            self.found.append(f"{record.name} logged {part!r}")

    def take(self) -> list[str]:
        """The lines since the last call."""
        found, self.found = self.found, []
        return found
