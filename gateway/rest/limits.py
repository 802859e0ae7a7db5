"""Limits on the length, speed and memory of requests, on the work done at the same time, and on hosts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.settings import RestSettings
from services.errors import InvalidRequest, Overloaded, RequestTooLarge, RequestTooSlow, shorten

RETRY_AFTER_S = 1.0  # advice to a refused caller: the time of a few answers
WINDOW_S = 10.0  # over which the speed of a body is measured
CROWDED = "crowded"  # set in the state of a request on a connection beyond the limit: gateway.rest.server
CLOSE = "close"  # set in the state of a request after whose answer the connection must be closed
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
HEALTH = "/health/"  # load balancers ask for it by IP address, and it tells nothing

_hold: ContextVar[Callable[[int], None]] = ContextVar("hold")


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


def hold(count: int) -> None:
    """Count bytes that the current request keeps in memory until it is answered.

    Raises:
        Overloaded: all requests together hold more than `RestSettings.held_bytes`.
    """
    _hold.get()(count)


class BodyLimit:
    """ASGI middleware that raises an error where a body is read that is too long or too slow.

    All bodies and fetched files together, arriving or being answered, take no more memory than `held_bytes`.
    What would take more is `Overloaded`: a body of a declared length before it is read, any other when it
    reaches the limit. A declared length is not reserved: slow senders hold few bytes each, and block nobody.

    A request with both Transfer-Encoding and Content-Length is refused, as RFC 9112 advises: a proxy may
    believe the other of the two, and take the rest of the body for another request.

    Args:
        app: the application that reads the bodies.
        settings: `max_body_bytes`, `body_advice`, `body_s`, `body_bytes_per_s`, `connections`, `held_bytes`.
        window_s: seconds over which the speed of a body is measured.
    """

    def __init__(self, app: ASGIApp, *, settings: RestSettings, window_s: float = WINDOW_S) -> None:
        self._app, self._settings, self._window_s = app, settings, window_s
        self._held = 0  # bytes of all requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a body that is counted while it is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        settings = self._settings
        too_large = RequestTooLarge(allowed=settings.max_body_bytes, advice=settings.body_advice)
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0").lstrip(b"0")
        most = str(settings.max_body_bytes).encode()
        pace: _Pace | None = None
        read, held, ended = 0, 0, False

        def keep(count: int) -> None:
            nonlocal held
            held += count
            self._held += count
            self._check_held(0)

        async def limited() -> Message:
            nonlocal pace, read, ended
            if ended:  # the next message says that the client has disconnected, whenever that is
                return await receive()
            # Compared as text: Python refuses to make a number of more than 4,300 digits.
            if declared.isdigit() and (len(declared), declared) > (len(most), most):
                raise too_large
            if pace is None:
                self._check_held(int(declared or b"0") if declared.isdigit() else 0)
            if CROWDED in scope["state"]:
                raise Overloaded(limit=settings.connections, retry_after_s=RETRY_AFTER_S)
            pace = pace or _Pace(settings, self._window_s)
            message = await pace.next(receive)
            part = len(message.get("body", b""))
            read += part
            if read > settings.max_body_bytes:
                raise too_large
            keep(part)
            ended = not message.get("more_body", False)
            return message

        if b"transfer-encoding" in headers and b"content-length" in headers:
            scope["state"][CLOSE] = True
            raise InvalidRequest("it has both Transfer-Encoding and Content-Length")
        token = _hold.set(keep)
        try:
            await self._app(scope, limited, send)
        finally:
            _hold.reset(token)
            self._held -= held

    def _check_held(self, more: int) -> None:
        """Raise Overloaded if all requests hold too much, or would with `more` bytes."""
        most = self._settings.held_bytes
        if self._held + more > most:
            raise Overloaded(limit=most, retry_after_s=RETRY_AFTER_S, of="bytes of requests fit into memory")


class AllowedHosts:
    """ASGI middleware that refuses requests for other hosts, except for health.

    A page that a browser loads from elsewhere can let its own name lead to this machine (DNS rebinding). Then
    the browser lets it read answers, but sends its name as the host.

    Args:
        app: the application.
        hosts: names without ports, `*.name` for every name below one, `*` for all.
    """

    def __init__(self, app: ASGIApp, *, hosts: tuple[str, ...]) -> None:
        self._app, self._hosts = app, [host.lower() for host in hosts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it for its Host."""
        if scope["type"] == "http" and not scope["path"].startswith(HEALTH):
            sent = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
            host = sent if sent.endswith("]") else sent.rpartition(":")[0] or sent  # without its port
            if not any(self._allows(rule, host) for rule in self._hosts):
                why = f"its host is {shorten(host, 80)!r}, for which this server does not answer"
                raise InvalidRequest(f"{why}; GIF_ANALYZER_ALLOWED_HOSTS allows more")
        await self._app(scope, receive, send)

    @staticmethod
    def _allows(rule: str, host: str) -> bool:
        return rule in ("*", host) or (rule.startswith("*.") and host.endswith(rule[1:]))


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
