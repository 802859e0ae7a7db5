"""Finds GIFs in files, folders and globs on this machine, and reads them; `-` is standard input."""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections.abc import Iterator
from typing import BinaryIO

from gateway.fetch.address import is_address
from services.errors import GifTooLarge, UnreadableFile, os_reason
from services.names import is_picture

STDIN = "-"


def find_gifs(given: str) -> list[str]:
    """Return the files that a path, folder or glob stands for.

    Standard input, addresses and missing files are returned as they are.

    Raises:
        UnreadableFile: a folder without GIFs or that cannot be read, or a glob that matches nothing.
    """
    if given == STDIN or is_address(given):
        return [given]
    folder = os.path.isdir(given)  # noqa: PTH112
    listed = list_gifs(given)
    if listed is None:
        return [given]
    found = list(listed) if folder else sorted(listed)
    if not found:
        raise UnreadableFile(given, "there is no GIF in this folder" if folder else "no file has such a name")
    return found


def list_gifs(given: str) -> Iterator[str] | None:
    """Yield the files of a folder or a glob; None if the path is neither. See `walk_gifs`."""
    if os.path.isdir(given):  # noqa: PTH112 - a Path would lose how the folder was written
        return walk_gifs(given)
    if glob.has_magic(given) and not os.path.lexists(given):
        return filter(os.path.isfile, glob.iglob(given, recursive=True))  # noqa: PTH207
    return None


def walk_gifs(folder: str) -> Iterator[str]:
    """Yield the GIFs of a folder and its subfolders by name, then the subfolders that cannot be read.

    Raises UnreadableFile if the folder itself cannot be read.
    """
    unreadable: list[str] = []

    def note(error: OSError) -> None:
        if error.filename == folder:
            raise UnreadableFile(folder, os_reason(error)) from error
        unreadable.append(error.filename)  # reading it as a file will give the reason

    for root, folders, files in os.walk(folder, onerror=note):
        folders.sort()
        yield from (os.path.join(root, name) for name in sorted(files) if is_picture(name))  # noqa: PTH118
    yield from unreadable


def read_gif(source: str, *, max_bytes: int, regular: bool = False) -> bytes:
    """Read a whole file or standard input, and never more than one byte beyond the limit.

    Args:
        source: a path, or `-` for standard input.
        max_bytes: of the file.
        regular: whether it must be a regular file. A person may name a pipe, as `<(curl ADDRESS)` does; in a
            long list or a folder, a pipe that nobody writes to would stop everything.

    Raises:
        UnreadableFile: it is missing, a directory, may not be read, or is not a regular file but must be.
        GifTooLarge: it is longer than max_bytes.
    """
    try:
        if source == STDIN:
            if sys.stdin is None:  # the parent process closed it
                raise UnreadableFile(source, "it is closed")
            return _read_stream(sys.stdin.buffer, max_bytes)
        opener = _open_at_once if regular else None
        with open(source, "rb", opener=opener) as file:  # a Path would make "" the current folder
            status = os.fstat(file.fileno())
            if regular and not stat.S_ISREG(status.st_mode):
                raise UnreadableFile(source, "it is not a regular file")
            # Only the size of a regular file says how much there is to read.
            if stat.S_ISREG(status.st_mode) and status.st_size > max_bytes:
                raise _too_large(max_bytes, status.st_size, at_least=False)
            return _read_stream(file, max_bytes)
    except FileNotFoundError as error:
        raise UnreadableFile(source, "there is no such file") from error
    except IsADirectoryError as error:
        raise UnreadableFile(source, "it is a directory") from error
    except (OSError, ValueError) as error:  # ValueError for a null character in the name
        raise UnreadableFile(source, os_reason(error)) from error


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for one who writes to a pipe. Regular files are read as ever."""
    return os.open(path, flags | os.O_NONBLOCK)


def _read_stream(stream: BinaryIO, max_bytes: int) -> bytes:
    content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise _too_large(max_bytes, len(content), at_least=True)
    return content


def _too_large(max_bytes: int, found: int, *, at_least: bool) -> GifTooLarge:
    return GifTooLarge("length", allowed=max_bytes, found=found, unit="bytes", at_least=at_least)
