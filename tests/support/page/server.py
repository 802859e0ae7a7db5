"""The gateway on a real port, for a browser; addresses are answered with files of this machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from gateway.fetch.address import Address
from services.errors import AddressRefused, NotFetchable, Overloaded
from tests.support.paths import EXAMPLES
from tests.support.serving import serving_app

HOST = "https://media.giphy.com"


class LocalAddresses:
    """Replaces the web: `HOST/name.gif` is an example, and every other host is refused.

    `HOST/slow.gif` is answered once it is released, `HOST/busy.gif` from the second request on.
    """

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: list[str] = []

    async def __call__(self, url: str) -> bytes:
        """Return the bytes of an address."""
        self.asked.append(url)
        address = Address.parse(url)
        if f"{address.scheme}://{address.host}" != HOST:
            raise AddressRefused(address.host, "this host is not allowed")
        if address.path == "/slow.gif":
            while not self.released.is_set():
                await asyncio.sleep(0.01)
            return (EXAMPLES / "meadow.gif").read_bytes()
        if address.path == "/busy.gif":
            if self.asked.count(url) == 1:
                raise Overloaded(limit=1, retry_after_s=2)
            return (EXAMPLES / "meadow.gif").read_bytes()
        file = EXAMPLES / address.path.removeprefix("/")
        if not file.is_file():
            raise NotFetchable(address.host, "it answered 404 Not Found")
        return file.read_bytes()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port of this machine; yields its address, with a slash at the end."""
    with serving_app(app) as served:
        yield f"{served.url}/"
