r"""File names and addresses as text that can be stored and shown.

On Linux a file name is bytes. Python keeps bytes that are not UTF-8 as lone surrogates, which JSON, CSV,
Parquet and SQLite cannot store; here such a byte is written as `\xff`. An address may contain a password or a
key; here it is removed. Addresses in an unusual form are not shown at all: programs disagree about where
their host begins, so that what looks like a host may be a password.
"""

from __future__ import annotations

import re

# Endings of file names that count as pictures when a folder or a store is searched.
PICTURES = (".gif", ".webp", ".png", ".apng", ".jpg", ".jpeg", ".mp4", ".webm")
UNREADABLE = "an address that cannot be read"  # shown in place of an address in an unusual form

_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTES = range(0xDC80, 0xDD00)  # how Python keeps the bytes 0x80 to 0xff: PEP 383
_FIRST = 0xDC00  # what is added to such a byte
_PLAIN_ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:[^\s/?#\\@\[\]]*@)?"
    r"(?P<place>(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s?#\\@]*)?)(?:\?[^\s#\\@]*)?",
    re.IGNORECASE,
)
_DATABASE_FILE = re.compile(r"sqlite:///[^?#]+")


def is_picture(name: str) -> bool:
    """Whether the ending of a file name is one of `PICTURES`."""
    return name.lower().endswith(PICTURES)


def name_text(name: str) -> str:
    r"""Write a file name as text that UTF-8 can encode. Nearly every name stays as it is.

    Bytes that are not UTF-8 become `\xff`. In such a name, and in one that already contains these four
    characters, a backslash becomes `\x5c`, so that different names always have different texts.
    """
    if not _SURROGATE.search(name) and not _ESCAPED.search(name):
        return name
    return _SURROGATE.sub(_escape, name.replace("\\", r"\x5c"))


def name_from_text(text: str) -> str:
    """Return the file name that `name_text` wrote."""
    return _ESCAPED.sub(_restore, text)


def plain_address(text: str) -> str | None:
    """Return scheme, host, port and path of an address, without user name, password and query.

    Returns:
        None if the address has an unusual form, e.g. with a / in its password. `sqlite:///FILE` is unchanged.
    """
    if _DATABASE_FILE.fullmatch(text):
        return text
    found = _PLAIN_ADDRESS.fullmatch(text)
    if found is None or found["scheme"].lower() == "sqlite://":
        return None
    return f"{found['scheme'].lower()}{found['place']}".rstrip("/")


def _escape(surrogate: re.Match[str]) -> str:
    code = ord(surrogate[0])
    return f"\\x{code - _FIRST:02x}" if code in _BYTES else f"\\u{code:04x}"


def _restore(escaped: re.Match[str]) -> str:
    byte = int(escaped[1], 16)
    return chr(_FIRST + byte) if _FIRST + byte in _BYTES else chr(byte)
