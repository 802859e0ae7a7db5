"""Reads files of users within limits: a wrong file is an error at once, and does not fill the memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from services.errors import GifTooLarge, UnreadableFile, os_reason

MAX_TEXT_BYTES = 100_000_000  # of a file that is read as a whole: a manifest of half a million GIFs
MAX_LINE = 1_000_000  # characters in a line of a log, which itself may be of any length
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_text(path: Path, *, most: int = MAX_TEXT_BYTES) -> str:
    """Read a whole text file in UTF-8.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be read.
        ValueError: it is longer, or is no text in UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    if "\0" in text:
        raise ValueError("it is not text: it has NUL characters in it")
    return text


def read_gif(path: Path, *, most: int) -> bytes:
    """Read a file that should be a GIF, of at most so many bytes.

    Raises:
        UnreadableFile: it cannot be read.
        GifTooLarge: it is longer.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise UnreadableFile(str(path), os_reason(error)) from error
    if len(content) > most:
        raise GifTooLarge("length", allowed=most, found=len(content), unit="bytes", at_least=True)
    return content


def read_json(path: Path, *, most: int = MAX_TEXT_BYTES) -> Any:
    """Read a JSON file; arguments and errors as of `read_text`, and a ValueError for what is no JSON."""
    text = read_text(path, most=most)
    try:
        return parse_json(text, parse_constant=_refuse)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from error


def parse_json(text: str, **options: Any) -> Any:
    """Parse JSON whose texts UTF-8 can encode; options are those of `json.loads`.

    Raises:
        ValueError: it is something else, or nested too deeply.
    """
    try:
        value = json.loads(text, **options)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _SURROGATE.search(text):  # most are halves of a pair, and so of a character
        json.dumps(value, ensure_ascii=False).encode()
    return value


def bounded_lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a text file, with their line feeds.

    Raises:
        ValueError: a line has more than `MAX_LINE` characters; names its number.
    """
    number = 1
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise ValueError(f"line {number} has more than {MAX_LINE:,} characters")
        yield line
        number += 1


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
