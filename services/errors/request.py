"""A request that comes in by HTTP cannot be answered as it is; nothing is said about a GIF."""

from __future__ import annotations

from services.errors.base import AnalyzerError


class RequestError(AnalyzerError):
    """The request cannot be answered as it is."""


class UnknownPath(RequestError):
    """Nothing is answered at this path."""

    reason = "UNKNOWN_PATH"
    grpc_code = "NOT_FOUND"
    http_status = 404

    def __init__(self, path: str) -> None:
        super().__init__(f"unknown path: {path}", path=path)


class MethodNotAllowed(RequestError):
    """The path answers other methods."""

    reason = "METHOD_NOT_ALLOWED"
    grpc_code = "UNIMPLEMENTED"
    http_status = 405

    def __init__(self, method: str, *, allowed: str) -> None:
        super().__init__(
            f"method not allowed: ask with {allowed or 'another'}, not {method}",
            method=method,
            allowed=allowed,
        )


class InvalidRequest(RequestError):
    """The request does not name one GIF in a way that is understood: its body is broken or lacks a part."""

    reason = "INVALID_REQUEST"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400

    def __init__(self, why: str) -> None:
        super().__init__(f"invalid request: {why}", why=why)


class UnsupportedMedia(RequestError):
    """The body is declared as something that is not taken."""

    reason = "UNSUPPORTED_MEDIA"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 415

    def __init__(self, found: str, *, expected: str) -> None:
        super().__init__(
            f"unsupported media type: send {expected}, not {found}", found=found, expected=expected
        )


class RequestTooLarge(RequestError):
    """The body is longer than this door carries, whatever is in it."""

    reason = "REQUEST_TOO_LARGE"
    grpc_code = "RESOURCE_EXHAUSTED"
    http_status = 413

    def __init__(self, *, allowed: int, advice: str = "") -> None:
        super().__init__(
            f"request too large: a body is limited to {allowed:,} bytes{f'; {advice}' if advice else ''}",
            allowed=str(allowed),
            **({"advice": advice} if advice else {}),
        )


class RequestTooSlow(RequestError):
    """The body did not arrive in time, or arrives more slowly than this door waits for."""

    reason = "REQUEST_TOO_SLOW"
    grpc_code = "DEADLINE_EXCEEDED"
    http_status = 408

    def __init__(self, why: str) -> None:
        super().__init__(f"request too slow: {why}", why=why)


class Unauthorized(RequestError):
    """This door asks for a key, and none that it knows was given."""

    reason = "UNAUTHORIZED"
    grpc_code = "UNAUTHENTICATED"
    http_status = 401

    def __init__(self, why: str) -> None:
        super().__init__(f"unauthorized: {why}", why=why)
