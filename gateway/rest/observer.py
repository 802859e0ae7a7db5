"""Every request seen from outside: its id, a line in the log, its metrics, and an answer to any exception.

No body, header, query or requested address is ever logged: only what is named here.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.rest.limits import CLOSE, CROWDED
from gateway.rest.problem import problem
from services.errors import AnalyzerError, InternalError

REQUEST_ID = "X-Request-Id"
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"}
OTHER = "OTHER"  # all other methods: each that a client invents would add a time series
GONE = 499  # nginx's status for a client that disconnected before the answer
PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")  # ids of requests that the gateway makes or accepts
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_log = logging.getLogger(__name__)


class Metrics:
    """Metrics for Prometheus; `in_flight` counts the GIFs being answered, `cache_bytes` is a size."""

    def __init__(self, *, in_flight: Callable[[], float], cache_bytes: Callable[[], float]) -> None:
        import prometheus_client as prometheus  # noqa: PLC0415 - not installed in AWS Lambda

        self.media_type = prometheus.CONTENT_TYPE_LATEST
        registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "gif_analyzer_http_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._errors = prometheus.Counter(
            "gif_analyzer_http_errors_total", "Errors answered.", ("reason",), registry=registry
        )
        self._seconds = prometheus.Histogram(
            "gif_analyzer_http_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._gifs = prometheus.Counter(
            "gif_analyzer_gifs_total", "GIFs identified.", ("from_cache",), registry=registry
        )
        for name, text, value in (
            ("gif_analyzer_gifs_in_flight", "GIFs being answered.", in_flight),
            ("gif_analyzer_cache_bytes", "Memory that kept answers take.", cache_bytes),
        ):
            prometheus.Gauge(name, text, registry=registry).set_function(value)
        self.page: Callable[[], bytes] = lambda: prometheus.generate_latest(registry)

    def record(self, seen: Mapping[str, Any]) -> None:
        """Count one request, given the fields of its line in the log."""
        self._requests.labels(seen["method"], seen["route"], seen["status"]).inc()
        self._seconds.labels(seen["route"]).observe(seen["duration_ms"] / 1000)
        if "reason" in seen:
            self._errors.labels(seen["reason"]).inc()
        if "kept" in seen:
            self._gifs.labels(str(seen["kept"]).lower()).inc()


class Observer:
    """ASGI middleware around everything else; `metrics` counts each request."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics | None = None) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with an id, and log and count its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = sent if PLAIN_ID.fullmatch(sent) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        start, status = time.perf_counter(), 0
        method = scope["method"]
        if method == "HEAD":  # answered like GET, without the body
            scope["method"] = "GET"

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if CROWDED in state or CLOSE in state:
                    headers["Connection"] = "close"
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, marked)
        except ClientDisconnect:
            status = GONE
        except Exception as raised:
            error = raised if isinstance(raised, AnalyzerError) else InternalError()
            state["reason"] = error.reason
            if error is not raised:
                _log.exception("unexpected error", extra={"request_id": request_id})
            if not status:
                await problem(error, request_id)(scope, receive, marked)
        finally:
            seen: dict[str, Any] = {
                "method": method if method in METHODS else OTHER,
                "route": getattr(scope.get("route"), "path", ""),  # a template, "" for an unknown path
                "status": status,
                "duration_ms": round((time.perf_counter() - start) * 1000, 3),
                "request_id": request_id,
                **{name: state[name] for name in ("reason", "kept") if name in state},
            }
            if self._metrics is not None:
                self._metrics.record(seen)
            _log.info("request", extra=seen)
