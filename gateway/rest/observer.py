"""Every request seen from outside: an id in and out, a line in the log, a count, and no error that escapes.

No body, no header, no query and no address that was asked about is ever written: only what is named here.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.rest.limits import CROWDED
from gateway.rest.problem import problem
from services.errors import AnalyzerError, InternalError

REQUEST_ID = "X-Request-Id"
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"}
OTHER = "OTHER"  # all other methods: what clients invent would make a figure of its own for each
GONE = 499  # as nginx writes it: the caller went away before the answer
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,128}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Observed:
    """One request that was answered.

    Attributes:
        method: of the request; "OTHER" for those that HTTP does not know.
        route: template of the path, such as "/static/{path:path}"; "" where nothing is answered.
        status: of the answer.
        reason: of services.errors, "" where there was no error.
        seconds: from the first byte of the request to the last of the answer.
        kept: whether a GIF's answer was one that was kept; None where no GIF was identified.
    """

    method: str
    route: str
    status: int
    reason: str
    seconds: float
    kept: bool | None


class Observer:
    """ASGI middleware around everything else.

    Args:
        app: what it stands before.
        record: told about each request, for metrics.
    """

    def __init__(self, app: ASGIApp, *, record: Callable[[Observed], None] | None = None) -> None:
        self._app, self._record = app, record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = sent if _PLAIN.fullmatch(sent) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        start, status = time.perf_counter(), 0
        method = scope["method"]
        if method == "HEAD":  # answered as GET is, without the body
            scope["method"] = "GET"

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if CROWDED in state:
                    headers["Connection"] = "close"
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, marked)
        except ClientDisconnect:
            status = GONE
        except Exception as fault:
            error = fault if isinstance(fault, AnalyzerError) else InternalError()
            state["reason"] = error.reason
            if error is not fault:
                _log.exception("a fault of ours", extra={"request_id": request_id})
            if not status:
                await problem(error, request_id)(scope, receive, marked)
        finally:
            route = getattr(scope.get("route"), "path", "")
            seconds = time.perf_counter() - start
            counted = method if method in METHODS else OTHER
            seen = Observed(counted, route, status, state.get("reason", ""), seconds, state.get("kept"))
            self._tell(seen, request_id)

    def _tell(self, seen: Observed, request_id: str) -> None:
        if self._record is not None:
            self._record(seen)
        extra = {
            "method": seen.method,
            "route": seen.route,
            "status": seen.status,
            "duration_ms": round(seen.seconds * 1000, 3),
            "request_id": request_id,
            **({"reason": seen.reason} if seen.reason else {}),
            **({} if seen.kept is None else {"kept": seen.kept}),
        }
        _log.info("request", extra=extra)
