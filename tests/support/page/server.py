"""The real gateway on a real port, for a browser; addresses are answered from this machine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from gateway.fetch.address import Address
from services.errors import AddressRefused, FetchFailed, Overloaded
from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"
HOST = "https://media.giphy.com"


class LocalAddresses:
    """Stands in for the web: `HOST/name.gif` is an example, and every other host is refused.

    `HOST/slow.gif` comes once it is released; `HOST/busy.gif` is answered when it is asked for again.
    """

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: list[str] = []

    async def __call__(self, url: str) -> bytes:
        """Give the bytes of an address."""
        self.asked.append(url)
        address = Address.parse(url)  # as the fetcher reads it
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
            raise FetchFailed(address.host, "it answered 404 Not Found")
        return file.read_bytes()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port of this machine; yields its address, with the slash at its end."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the server ended before it began"
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        assert not thread.is_alive()
