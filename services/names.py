r"""Names of files as text: **a name as Python has it** -> text that UTF-8 can write -> the same name.

On Linux a name is bytes. Python keeps bytes that are not UTF-8 as lone surrogates, which neither JSON, CSV,
Parquet nor SQLite can hold. In text such a byte is written as `\xff`. Names also say what is a picture.
"""

from __future__ import annotations

import re

# Endings of the names of files that are taken for pictures where a folder or a store is searched.
PICTURES = (".gif", ".webp", ".png", ".apng", ".jpg", ".jpeg", ".mp4", ".webm")

_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTES = range(0xDC80, 0xDD00)  # how Python keeps the bytes 0x80 to 0xff: PEP 383
_FIRST = 0xDC00  # what is added to such a byte


def is_picture(name: str) -> bool:
    """Whether a file that a search comes across is taken for a picture: by the end of its name."""
    return name.lower().endswith(PICTURES)


def name_text(name: str) -> str:
    r"""Write a name as text that UTF-8 can write; nearly every name stays as it is.

    Bytes that are not UTF-8 become `\xff`. In such a name, and in one that holds four such characters itself,
    a backslash becomes `\x5c`, so that no two names of files have the same text.
    """
    if not _SURROGATE.search(name) and not _ESCAPED.search(name):
        return name
    return _SURROGATE.sub(_escape, name.replace("\\", r"\x5c"))


def name_from_text(text: str) -> str:
    """Return the name that `name_text` wrote."""
    return _ESCAPED.sub(_restore, text)


def _escape(surrogate: re.Match[str]) -> str:
    code = ord(surrogate[0])
    return f"\\x{code - _FIRST:02x}" if code in _BYTES else f"\\u{code:04x}"


def _restore(escaped: re.Match[str]) -> str:
    byte = int(escaped[1], 16)
    return chr(_FIRST + byte) if _FIRST + byte in _BYTES else chr(byte)
