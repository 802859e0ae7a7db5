"""Errors at the HTTP door: **AnalyzerError** -> **application/problem+json**, RFC 9457.

The status and the reason of every error are those of services.errors; this is the one place that writes
them, and the one that documents them. What is none of that family becomes INTERNAL_ERROR, its cause for the
log alone.
"""

from __future__ import annotations

import json
import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from services.errors import (
    AnalyzerError,
    InternalError,
    InvalidArgument,
    InvalidRequest,
    MethodNotAllowed,
    Overloaded,
    RequestTooLarge,
    RequestTooSlow,
    Unauthorized,
    UnknownPath,
)

MEDIA_TYPE = "application/problem+json"


def problem(error: AnalyzerError, request_id: str) -> Response:
    """Write an error as the answer to a request."""
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(math.ceil(float(error.details["retry_after_s"])))
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.details["allowed"]
    if isinstance(error, RequestTooLarge | RequestTooSlow):
        headers["Connection"] = "close"  # the rest of the body is not read, so nothing can follow it
    text = json.dumps(problem_json(error, request_id), ensure_ascii=False, separators=(",", ":"))
    # What was asked stands in some messages, and an event of Lambda can hold half a character.
    return Response(text.encode("utf-8", "replace"), error.http_status, headers, MEDIA_TYPE)


def problem_json(error: AnalyzerError, request_id: str) -> dict[str, Any]:
    """Put an error into the members of RFC 9457, and those of ours: reason, details, request_id."""
    return {
        "type": problem_type(error.reason),
        "title": error.reason.replace("_", " ").capitalize(),
        "status": error.http_status,
        "detail": error.message,
        "reason": error.reason,
        "details": error.details,
        "request_id": request_id,
    }


def problem_type(reason: str) -> str:
    """The URI that names a kind of problem; it leads nowhere, as RFC 9457 allows."""
    return f"urn:gif-analyzer:problem:{reason.lower().replace('_', '-')}"


def add_problems(app: FastAPI) -> None:
    """Let an application answer all its errors so, those of its framework among them."""

    async def of_ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, AnalyzerError)
        return _send(request, error)

    async def of_values(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _send(request, _invalid(error.errors()[0]))

    async def of_starlette(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _send(request, _translate(request, error))

    app.add_exception_handler(AnalyzerError, of_ours)
    app.add_exception_handler(RequestValidationError, of_values)
    app.add_exception_handler(HTTPException, of_starlette)


def _send(request: Request, error: AnalyzerError) -> Response:
    request.state.reason = error.reason
    return problem(error, request.state.request_id)


def _invalid(found: dict[str, Any]) -> AnalyzerError:
    """The first value of a query that does not fit, as FastAPI found it."""
    *_, name = found["loc"]
    if found["type"] == "missing":
        return InvalidRequest(f"it lacks the parameter {name}")
    limits = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}
    if found["type"] in limits:
        limit, words = limits[found["type"]]
        expected = f"{words} {found['ctx'][limit]}"
    else:
        expected = {"int_parsing": "a whole number", "bool_parsing": "true or false"}.get(
            found["type"], found["msg"]
        )
    return InvalidArgument(str(name), expected=expected, found=repr(found["input"])[:80])


def _translate(request: Request, error: HTTPException) -> AnalyzerError:
    match error.status_code:
        case 404:
            return UnknownPath(request.scope["path"])  # request.url fails for some Host headers, such as [
        case 405:
            return MethodNotAllowed(request.method, allowed=_allowed(request))
        case 413:
            return RequestTooLarge(allowed=request.app.state.settings.max_body_bytes)
        case status if status < 500:
            return InvalidRequest(str(error.detail))
        case _:
            return InternalError()


def _allowed(request: Request) -> str:
    """The methods of a path, of all its routes: Starlette tells those of the first."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))
