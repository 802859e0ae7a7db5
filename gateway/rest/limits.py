"""Limits on the length and speed of request bodies, and on the work that is done at the same time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.settings import RestSettings
from services.errors import Overloaded, RequestTooLarge, RequestTooSlow

RETRY_AFTER_S = 1.0  # advice to a refused caller: the time of a few answers
WINDOW_S = 10.0  # over which the speed of a body is measured
CROWDED = "crowded"  # set in the state of a request on a connection beyond the limit: gateway.rest.server


class Gate:
    """Counts what is in progress and refuses more than `limit`, at least 1. Used from one event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.inside = 0

    def check(self) -> None:
        """Raise Overloaded if the limit is reached."""
        if self.inside >= self._limit:
            raise Overloaded(limit=self._limit, retry_after_s=RETRY_AFTER_S)

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Count as in progress until the end of the block; raise Overloaded if the limit is reached."""
        self.check()
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


class BodyLimit:
    """ASGI middleware that raises an error where a body is read that is too long or too slow.

    All bodies together, arriving or being answered, take no more memory than `in_flight` bodies of full
    length; one that would take more is `Overloaded`. Slow senders hold few bytes each, so they block nobody.

    Args:
        app: the application that reads the bodies.
        settings: `max_body_bytes`, `body_advice`, `body_s`, `body_bytes_per_s`, `connections`, `in_flight`.
        window_s: seconds over which the speed of a body is measured.
    """

    def __init__(self, app: ASGIApp, *, settings: RestSettings, window_s: float = WINDOW_S) -> None:
        self._app, self._settings, self._window_s = app, settings, window_s
        self._held = 0  # bytes of all bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        settings = self._settings
        too_large = RequestTooLarge(allowed=settings.max_body_bytes, advice=settings.body_advice)
        declared = dict(scope["headers"]).get(b"content-length", b"0").lstrip(b"0")
        most = str(settings.max_body_bytes).encode()
        pace: _Pace | None = None
        read, ended = 0, False

        async def limited() -> Message:
            nonlocal pace, read, ended
            if ended:  # the next message says that the client has disconnected, whenever that is
                return await receive()
            # Compared as text: Python refuses to make a number of more than 4,300 digits.
            if declared.isdigit() and (len(declared), declared) > (len(most), most):
                raise too_large
            if CROWDED in scope["state"]:
                raise Overloaded(limit=settings.connections, retry_after_s=RETRY_AFTER_S)
            pace = pace or _Pace(settings, self._window_s)
            message = await pace.next(receive)
            part = len(message.get("body", b""))
            read += part
            self._held += part
            if read > settings.max_body_bytes:
                raise too_large
            if self._held > settings.in_flight * settings.max_body_bytes:
                raise Overloaded(limit=settings.in_flight, retry_after_s=RETRY_AFTER_S)
            ended = not message.get("more_body", False)
            return message

        try:
            await self._app(scope, limited, send)
        finally:
            self._held -= read


class _Pace:
    """Receives the parts of one body, and refuses one that arrives too slowly."""

    def __init__(self, settings: RestSettings, window_s: float) -> None:
        self._settings, self._window_s = settings, window_s
        self._clock = asyncio.get_running_loop().time
        self._end = self._clock() + settings.body_s
        self._begin_window()

    def _begin_window(self) -> None:
        self._arrived, self._window_end = 0, self._clock() + self._window_s

    async def next(self, receive: Receive) -> Message:
        """Wait for the next part; raises RequestTooSlow by the time of the body or the speed in a window."""
        while True:
            # A busy loop may see the timeout before it sees what has arrived, so it is checked once more.
            message = await _within(min(self._end, self._window_end), receive) or await _within(0, receive)
            if message is not None:
                self._arrived += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return message
            self._check()
            if message is not None:
                return message

    def _check(self) -> None:
        now, least = self._clock(), self._settings.body_bytes_per_s
        if now >= self._end:
            raise RequestTooSlow(f"its body took longer than {self._settings.body_s:g} s")
        if now >= self._window_end:
            if self._arrived < least * self._window_s:
                raise RequestTooSlow(f"less than {least:,} bytes a second of its body arrived")
            self._begin_window()


async def _within(until: float, receive: Receive) -> Message | None:
    """Return the message that arrives before `until`, in the loop's time; None if none does."""
    try:
        async with asyncio.timeout_at(until):
            return await receive()
    except TimeoutError:
        return None
