"""Writes errors as application/problem+json (RFC 9457).

The status and the reason of every error come from services.errors. Any other exception becomes
INTERNAL_ERROR, and its cause goes to the log alone.
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
    RateLimited,
    RequestTooLarge,
    RequestTooSlow,
    Unauthorized,
    UnknownPath,
    shorten,
)

MEDIA_TYPE = "application/problem+json"


def problem(error: AnalyzerError, request_id: str) -> Response:
    """Return an error as the answer to a request."""
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, Overloaded | RateLimited):
        headers["Retry-After"] = str(math.ceil(float(error.details["retry_after_s"])))
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.details["allowed"]
    if isinstance(error, RequestTooLarge | RequestTooSlow):
        headers["Connection"] = "close"  # the rest of the body is not read, so no request can follow it
    text = json.dumps(problem_json(error, request_id), ensure_ascii=False, separators=(",", ":"))
    # Some messages quote the request, and an event of Lambda can hold half a character.
    return Response(text.encode("utf-8", "replace"), error.http_status, headers, MEDIA_TYPE)


def problem_json(error: AnalyzerError, request_id: str) -> dict[str, Any]:
    """Return an error as the members of RFC 9457, and four more.

    `reason`, `message` and `details` are those of gRPC, the command line and batch; `detail` repeats the
    message for clients that know RFC 9457 alone.

    Texts that quote the request are cut to 500 characters.
    """
    return {
        # A URI that names the kind of problem; RFC 9457 allows it to lead nowhere.
        "type": f"urn:gif-analyzer:problem:{error.reason.lower().replace('_', '-')}",
        "title": error.reason.replace("_", " ").capitalize(),
        "status": error.http_status,
        "detail": shorten(error.message),
        "reason": error.reason,
        "message": shorten(error.message),
        "details": {name: shorten(value) for name, value in error.details.items()},
        "request_id": request_id,
    }


def add_problems(app: FastAPI) -> None:
    """Make an application answer all errors as problems, including those of its framework."""

    async def answer(request: Request, raised: Exception) -> Response:
        if isinstance(raised, RequestValidationError):
            error = _invalid(raised.errors()[0])
        elif isinstance(raised, HTTPException):
            error = _translate(request, raised)
        else:
            assert isinstance(raised, AnalyzerError)
            error = raised
        request.state.reason = error.reason
        return problem(error, request.state.request_id)

    for kind in (AnalyzerError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


def _invalid(found: dict[str, Any]) -> AnalyzerError:
    """Translate what FastAPI says of an invalid value of a query."""
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
    """Return the methods of all routes of a path; Starlette names those of the first."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))
