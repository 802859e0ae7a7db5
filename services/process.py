"""Set-up of a long-running process: its JSON log and its memory allocator."""

from __future__ import annotations

import ctypes
import logging
import sys
from typing import Any

from services.errors import shorten
from services.tracing import add_ids

# Parameters of glibc's mallopt(3), from malloc.h. Values are in bytes.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 << 20  # glibc accepts no more on 64-bit machines
_MOST_KEPT = 64 << 20

_MAX_TRACE = 8_000  # characters of a traceback in the log


def log_as_json() -> None:
    """Write the log records of this process, from INFO on, as one JSON object a line on standard error.

    Every text is cut to 500 characters, a traceback to its last 8,000: what callers send fills no disk.
    A line about a request has the ids of its trace and span.
    """
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415 - part of the serving extras

    class Short(JsonFormatter):
        def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
            return {name: _short(name, value) for name, value in super().process_log_record(log_data).items()}

    handler = logging.StreamHandler(sys.stderr)
    names = {"asctime": "time", "levelname": "level", "name": "logger"}
    handler.setFormatter(Short("{asctime}{levelname}{name}{message}", style="{", rename_fields=names))
    handler.addFilter(add_ids)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _short(name: str, value: Any) -> Any:
    if name == "exc_info":
        return (
            value if len(value) <= _MAX_TRACE else "..." + value[3 - _MAX_TRACE :]
        )  # the error is at its end
    if isinstance(value, list):
        return [_short(name, each) for each in value]
    return shorten(value) if isinstance(value, str) else value


def keep_freed_memory() -> None:
    """Let the allocator keep up to 64 MB of freed memory for later use by this process.

    One clip takes about 5 MB of buffers for a moment. By default glibc returns buffers of that size to the
    system when they are freed, and the system clears every page again for the next clip. This costs up to a
    third of the time that a clip takes, and a fifth of the time that a gRPC call takes.

    Programs call this once when they start. It does nothing where the C library is not glibc.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)
