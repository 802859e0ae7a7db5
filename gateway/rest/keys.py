"""Who may ask: **Authorization or X-API-Key** -> one of the keys that were set, or `Unauthorized`."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers

from services.errors import Unauthorized

HEADER = "X-API-Key"


def check_key(headers: Headers, keys: Sequence[str]) -> None:
    """Return when one of the keys was sent, or when there are none.

    Every key is compared, each in constant time, so that the time taken tells nothing about them.

    Raises:
        Unauthorized: no key was sent, or another.
    """
    if not keys:
        return
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    sent = headers.get(HEADER) or (token.strip() if scheme.lower() == "bearer" else "")
    if not sent:
        raise Unauthorized(f"send a key as `Authorization: Bearer KEY` or `{HEADER}: KEY`")
    matches = [hmac.compare_digest(sent.encode(), key.encode()) for key in keys]
    if not any(matches):
        raise Unauthorized("this key is not known here")
