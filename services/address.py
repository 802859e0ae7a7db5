"""Addresses that may hold a password or a key: **text** -> what of it may be shown to people.

Nothing of an address that is not written plainly is shown: programs disagree about where its host begins, and
what one of them takes for a host is a password to another.
"""

from __future__ import annotations

import re

UNREADABLE = "an address that cannot be read"  # what is said in place of one
_PLAIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?:[^\s/?#\\@\[\]]*@)?"
    r"(?P<place>(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:/[^\s?#\\@]*)?)(?:\?[^\s#\\@]*)?",
    re.IGNORECASE,
)
_FILE = re.compile(r"sqlite:///[^?#]+")


def plain_address(text: str) -> str | None:
    """Scheme, host, port and path of an address, without name, password and query.

    Returns:
        None where it is not written plainly, e.g. with a / in its password. `sqlite:///FILE` is as it was.
    """
    if _FILE.fullmatch(text):
        return text
    found = _PLAIN.fullmatch(text)
    if found is None or found["scheme"].lower() == "sqlite://":
        return None
    return f"{found['scheme'].lower()}{found['place']}".rstrip("/")
