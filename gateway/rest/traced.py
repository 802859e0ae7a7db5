"""The trace of each HTTP request: it continues that of the header `traceparent`, or begins one."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import tracing


class Traced:
    """Middleware around all others: what they log has the ids of the trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request within a span. Only requests of the API are measured."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, method = Headers(scope=scope), scope["method"]
        state = scope.setdefault("state", {})

        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with tracing.receive(
            "HTTP",
            headers.getlist(tracing.TRACEPARENT),
            headers.getlist(tracing.TRACESTATE),
            recorded=scope["path"].startswith("/v1/"),
        ) as span:
            try:
                await self._app(scope, receive, noted)
            finally:
                # The route is a template: the path and the query may hold what a user looks at.
                route = getattr(scope.get("route"), "path", "")
                if route:
                    span.rename(f"{method} {route}")
                    span.set({"http.request.method": method, "http.route": route})
                span.set({"http.response.status_code": status})
                if "reason" in state:
                    span.set({"error.type": state["reason"]})
                if status >= 500:  # an error of a client is none of this server
                    span.fail(state.get("reason", str(status)))
