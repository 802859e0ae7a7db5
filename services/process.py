"""Set-up of a long-running process: its JSON log and its memory allocator."""

from __future__ import annotations

import ctypes
import logging
import sys

from services.tracing import add_ids

# Parameters of glibc's mallopt(3), from malloc.h. Values are in bytes.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 << 20  # glibc accepts no more on 64-bit machines
_MOST_KEPT = 64 << 20


def log_as_json() -> None:
    """Write the log records of this process, from INFO on, as one JSON object a line on standard error.

    A line about a request has the ids of its trace and span.
    """
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415 - part of the serving extras

    handler = logging.StreamHandler(sys.stderr)
    names = {"asctime": "time", "levelname": "level", "name": "logger"}
    handler.setFormatter(JsonFormatter("{asctime}{levelname}{name}{message}", style="{", rename_fields=names))
    handler.addFilter(add_ids)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


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
