"""What Giphy says of one GIF: **a result of a page** -> read_result -> **a GIF to fetch**, or none.

Every value may be missing or of another type than its documentation says; sizes come as texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from training.collect.providers import Found, Search

# Half a character, which JSON can hold and UTF-8 cannot, and what steers a terminal or ends a line.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

RENDITIONS = ("fixed_height", "downsized", "downsized_medium", "original")  # the first that fits is taken


def read_result(result: object, search: Search, *, home: httpx.URL, max_bytes: int) -> Found | None:
    """Read one result.

    Args:
        result: as JSON has it.
        search: that it answers.
        home: address of the API; files may lie there, or at Giphy.
        max_bytes: of a GIF.

    Returns:
        None for a sticker, and for one without a GIF that may be fetched.
    """
    item = mapping(result)
    if item.get("type") == "sticker" or item.get("is_sticker") in (1, "1", True):
        return None
    media = _choose(mapping(item.get("images")), home, max_bytes)
    if media is None:
        return None
    id_ = text(item.get("id"))
    username = text(item.get("username")) or text(mapping(item.get("user")).get("username"))
    address = text(item.get("url")) or f"https://giphy.com/gifs/{id_}"
    try:
        return Found(id_, search.show, search.query, address, username, text(item.get("title")), media=media)
    except ValueError:  # an id that could not be part of a file's name
        return None


def mapping(value: object) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """A text on one line that UTF-8 can write; empty for anything else."""
    return (
        _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", " ".join(value.split())) if isinstance(value, str) else ""
    )


def count(value: object) -> int:
    """A whole number, written as one or as text; 0 for anything else."""
    try:
        return int(value) if isinstance(value, (int, str)) else 0
    except ValueError:
        return 0


def _choose(images: Mapping[str, object], home: httpx.URL, max_bytes: int) -> str | None:
    """Address of the first rendition that fits; its parameters, which tell of the key, are dropped."""
    for name in RENDITIONS:
        rendition = mapping(images.get(name))
        try:
            url = httpx.URL(text(rendition.get("url")))
        except httpx.InvalidURL:
            continue
        if count(rendition.get("size")) <= max_bytes and _is_at_home(url, home):
            return str(url.copy_with(query=None, fragment=None))
    return None


def _is_at_home(url: httpx.URL, home: httpx.URL) -> bool:
    """Whether an address is Giphy's: what a page says is fetched from nowhere else."""
    own = url.scheme == "https" and f".{url.host}".endswith(".giphy.com")
    return own or (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)
