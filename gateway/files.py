"""GIFs that lie on this machine: a path, or `-` for standard input -> bytes, within a limit."""

from __future__ import annotations

import os
import stat
import sys
from typing import BinaryIO

from services.errors import GifTooLarge, UnreadableFile

STDIN = "-"


def read_gif(source: str, *, max_bytes: int) -> bytes:
    """Read one file whole, or standard input to its end, and never more than one byte beyond the limit.

    Raises:
        UnreadableFile: it is missing, a directory, or not ours to open.
        GifTooLarge: it is longer than max_bytes.
    """
    try:
        if source == STDIN:
            if sys.stdin is None:  # closed by whoever started this program
                raise UnreadableFile(source, "it is closed")
            return _read_stream(sys.stdin.buffer, max_bytes)
        with open(source, "rb") as file:  # noqa: PTH123 - a Path would make "" the current folder
            status = os.fstat(file.fileno())
            # Only a regular file has a size that says how much there is to read.
            if stat.S_ISREG(status.st_mode) and status.st_size > max_bytes:
                raise _too_large(max_bytes, status.st_size, at_least=False)
            return _read_stream(file, max_bytes)
    except FileNotFoundError as error:
        raise UnreadableFile(source, "there is no such file") from error
    except IsADirectoryError as error:
        raise UnreadableFile(source, "it is a directory") from error
    except OSError as error:
        raise UnreadableFile(source, (error.strerror or str(error)).lower()) from error
    except ValueError as error:  # a null character in the name
        raise UnreadableFile(source, str(error)) from error


def _read_stream(stream: BinaryIO, max_bytes: int) -> bytes:
    content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise _too_large(max_bytes, len(content), at_least=True)
    return content


def _too_large(max_bytes: int, found: int, *, at_least: bool) -> GifTooLarge:
    return GifTooLarge("length", allowed=max_bytes, found=found, unit="bytes", at_least=at_least)
