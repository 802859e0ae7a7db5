"""How much the gateway takes on: the length of a body, and requests in flight."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.errors import Overloaded, RequestTooLarge

RETRY_AFTER_S = 1.0  # advice to a caller that was refused: some answers' time


class Gate:
    """Lets so many through at a time and refuses the others at once. It is used from one event loop.

    Args:
        limit: at least 1.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.inside = 0

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Be counted until the end of the block.

        Raises:
            Overloaded: as many are inside as may.
        """
        if self.inside >= self._limit:
            raise Overloaded(limit=self._limit, retry_after_s=RETRY_AFTER_S)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


class BodyLimit:
    """ASGI middleware: whoever reads a body that is too long meets `RequestTooLarge` before it is read whole.

    Args:
        app: what it stands before.
        max_bytes: of a body.
        advice: what the refusal adds.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, advice: str = "") -> None:
        self._app, self._max_bytes, self._advice = app, max_bytes, advice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        read = 0

        async def limited() -> Message:
            nonlocal read
            if declared.isdigit() and int(declared) > self._max_bytes:
                raise RequestTooLarge(allowed=self._max_bytes, advice=self._advice)
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_bytes:
                raise RequestTooLarge(allowed=self._max_bytes, advice=self._advice)
            return message

        await self._app(scope, limited, send)
