"""The errors of GIF Analyzer that a user can get.

    AnalyzerError
    ├── GifError            the bytes are not a picture that can be decoded
    │   ├── NotAGif         NOT_A_GIF
    │   ├── CorruptGif      CORRUPT_GIF
    │   └── GifTooLarge     GIF_TOO_LARGE
    ├── UnreadableFile      UNREADABLE_FILE
    ├── InvalidArgument     INVALID_ARGUMENT
    ├── InvalidClip         INVALID_CLIP
    ├── InvalidSetting      INVALID_SETTING
    │   └── UnknownSetting      UNKNOWN_SETTING
    ├── ModelError          MODEL_ERROR
    ├── ModelNotFound       MODEL_NOT_FOUND
    ├── LibraryError        LIBRARY_ERROR
    ├── LibraryReadOnly     LIBRARY_READ_ONLY
    ├── NotInLibrary        NOT_IN_LIBRARY
    ├── FeedbackClosed      FEEDBACK_CLOSED
    ├── CannotServe         CANNOT_SERVE
    ├── RequestError        the HTTP request itself is invalid
    │   ├── UnknownPath         UNKNOWN_PATH
    │   ├── MethodNotAllowed    METHOD_NOT_ALLOWED
    │   ├── InvalidRequest      INVALID_REQUEST
    │   ├── UnsupportedMedia    UNSUPPORTED_MEDIA
    │   ├── RequestTooLarge     REQUEST_TOO_LARGE
    │   ├── RequestTooSlow      REQUEST_TOO_SLOW
    │   ├── RateLimited         RATE_LIMITED
    │   └── Unauthorized        UNAUTHORIZED
    ├── FetchError          a GIF cannot be fetched from its address
    │   ├── InvalidAddress      INVALID_ADDRESS
    │   ├── AddressRefused      ADDRESS_REFUSED
    │   ├── NotFetchable        NOT_FETCHABLE
    │   ├── FetchFailed         FETCH_FAILED
    │   └── FetchTimeout        FETCH_TIMEOUT
    └── ServiceError        a service gave no answer
        ├── Overloaded          OVERLOADED
        ├── DeadlineExceeded    DEADLINE_EXCEEDED
        ├── ServiceUnavailable  SERVICE_UNAVAILABLE
        ├── MessageTooLarge     MESSAGE_TOO_LARGE
        └── InternalError       INTERNAL_ERROR

Each class has a reason, a gRPC status code and an HTTP status. The gRPC services, the REST API and the
command line read them from here. The codes are plain names and numbers, so this module needs neither grpc
nor HTTP.
"""

from __future__ import annotations

from typing import ClassVar

DOMAIN = "gif-analyzer"  # of google.rpc.ErrorInfo: the reasons are unique within it
MAX_TEXT = 500  # characters of one value that is sent or logged: errors quote what the caller sent


class ReasonedError(Exception):
    """The base of all errors of this project: a reason for programs and a message for people.

    Attributes:
        reason: UPPER_SNAKE_CASE, stable across versions.
        message: one line.
        details: the values that the message contains, by name.
    """

    reason: ClassVar[str]

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class AnalyzerError(ReasonedError):
    """The base of the errors of identifying a GIF.

    Attributes:
        grpc_code: name of a gRPC status code.
        http_status: 400 to 599.
    """

    grpc_code: ClassVar[str]
    http_status: ClassVar[int]

    def __init_subclass__(cls, *, reason: str = "", grpc_code: str = "", http_status: int = 0) -> None:
        super().__init_subclass__()
        for name, value in (("reason", reason), ("grpc_code", grpc_code), ("http_status", http_status)):
            if value:
                setattr(cls, name, value)

    @classmethod
    def restore(cls, message: str, details: dict[str, str]) -> AnalyzerError:
        """Rebuild the error from the message and details that were sent over the network."""
        error = cls.__new__(cls)
        AnalyzerError.__init__(error, message, **details)
        return error


def catalogue() -> dict[str, type[AnalyzerError]]:
    """Return every class that has a reason of its own, by that reason."""
    found: dict[str, type[AnalyzerError]] = {}
    waiting = [AnalyzerError]
    while waiting:
        error = waiting.pop()
        waiting.extend(error.__subclasses__())
        if "reason" in vars(error):
            found[error.reason] = error
    return found


def shorten(text: str, most: int = MAX_TEXT) -> str:
    """Return a text of at most `most` characters; "..." stands for the end of a longer one."""
    return text if len(text) <= most else text[: most - 3] + "..."


def os_reason(error: Exception) -> str:
    """Say in lower case why the operating system or a library refused, such as "permission denied"."""
    return str(getattr(error, "strerror", None) or error).lower()


class UnreadableFile(AnalyzerError, reason="UNREADABLE_FILE", grpc_code="NOT_FOUND", http_status=404):
    """A file cannot be read: it is missing, is a directory, or its permissions forbid it."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"cannot read the file: {why}", path=path, why=why)


class InvalidArgument(
    AnalyzerError, reason="INVALID_ARGUMENT", grpc_code="INVALID_ARGUMENT", http_status=400
):
    """An argument other than the GIF or the clip is out of its range."""

    def __init__(self, field: str, *, expected: str, found: str) -> None:
        message = f"invalid {field}: it must be {expected}, this is {found}"
        super().__init__(message, field=field, expected=expected, found=found)


class InvalidClip(AnalyzerError, reason="INVALID_CLIP", grpc_code="INVALID_ARGUMENT", http_status=400):
    """A clip has the wrong shape, type or range of values."""

    def __init__(self, field: str, *, expected: str, found: str) -> None:
        message = f"invalid clip: {field} must be {expected}, this is {found}"
        super().__init__(message, field=field, expected=expected, found=found)


class InvalidSetting(
    AnalyzerError, reason="INVALID_SETTING", grpc_code="FAILED_PRECONDITION", http_status=500
):
    """An environment variable has an invalid value. The message names the variable."""

    def __init__(self, variable: str, *, expected: str, found: str) -> None:
        message = f"invalid setting: {variable} must be {expected}, it is {found!r}"
        super().__init__(message, variable=variable, expected=expected, found=found)


class UnknownSetting(InvalidSetting, reason="UNKNOWN_SETTING"):
    """An environment variable looks like a setting but is not one. The message suggests the nearest name."""

    def __init__(self, variable: str, *, nearest: str | None) -> None:
        did_you_mean = f"; did you mean {nearest}?" if nearest else ""
        message = f"unknown setting: {variable}{did_you_mean}"
        AnalyzerError.__init__(self, message, variable=variable, nearest=nearest or "")


class GifError(AnalyzerError):
    """The bytes are not a picture that can be decoded, whether they were sent or lay at an address.

    Over HTTP all of these are 422, because the request itself is in order; 413 and 415 are about the request.
    """


class NotAGif(GifError, reason="NOT_A_GIF", grpc_code="INVALID_ARGUMENT", http_status=422):
    """The format of the bytes is not supported. The message says what the bytes are."""

    def __init__(self, found: str) -> None:
        super().__init__(f"not a GIF, WebP, PNG or JPEG: this is {found}", found=found)


class CorruptGif(GifError, reason="CORRUPT_GIF", grpc_code="INVALID_ARGUMENT", http_status=422):
    """The bytes start like a supported format but contain no complete frame."""

    def __init__(self, why: str, *, kind: str = "GIF") -> None:
        super().__init__(f"corrupt {kind}: {why}", why=why)


class GifTooLarge(GifError, reason="GIF_TOO_LARGE", grpc_code="INVALID_ARGUMENT", http_status=422):
    """The file exceeds a limit of the budget. The message names the limit, its value and what was found."""

    def __init__(self, limit: str, *, allowed: int, found: int, unit: str, at_least: bool = False) -> None:
        has = "has at least" if at_least else "has"
        message = f"file too large: {limit} is limited to {allowed:,} {unit}, this one {has} {found:,}"
        super().__init__(message, limit=limit, allowed=str(allowed), found=str(found), unit=unit)


class ModelError(AnalyzerError, reason="MODEL_ERROR", grpc_code="FAILED_PRECONDITION", http_status=500):
    """A file is not an ONNX model with the inputs and outputs of this project."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"not a usable model: {path}: {why}", path=path, why=why)


class ModelNotFound(AnalyzerError, reason="MODEL_NOT_FOUND", grpc_code="NOT_FOUND", http_status=404):
    """The service does not serve the requested model."""

    def __init__(self, name: str, version: str, *, served: str) -> None:
        asked = f"{name} {version}".strip() or "without a name"
        message = f"no such model: {asked}; this service has {served}"
        super().__init__(message, name=name, version=version, served=served)


class LibraryError(AnalyzerError, reason="LIBRARY_ERROR", grpc_code="FAILED_PRECONDITION", http_status=500):
    """A library of known clips cannot be read, written or used with this model."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"library {path}: {why}", path=path, why=why)


class LibraryReadOnly(
    AnalyzerError, reason="LIBRARY_READ_ONLY", grpc_code="PERMISSION_DENIED", http_status=403
):
    """This server has no library of known clips that its users may change."""

    def __init__(self) -> None:
        super().__init__("this server has no library that can be taught")


class FeedbackClosed(AnalyzerError, reason="FEEDBACK_CLOSED", grpc_code="PERMISSION_DENIED", http_status=403):
    """This server takes no feedback on its answers, or keeps no GIFs for training."""

    def __init__(self, what: str) -> None:
        super().__init__(f"this server takes no {what}", what=what)


class NotInLibrary(AnalyzerError, reason="NOT_IN_LIBRARY", grpc_code="NOT_FOUND", http_status=404):
    """The library of known clips has no clip of this name, or no thumbnail of it."""

    def __init__(self, name: str, *, what: str = "GIF") -> None:
        super().__init__(f"the library has no {what} of this name: {name}", name=name, what=what)


class CannotServe(AnalyzerError, reason="CANNOT_SERVE", grpc_code="FAILED_PRECONDITION", http_status=500):
    """A service cannot start: its address is in use or invalid, or its certificates are invalid."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"cannot serve at {address}: {why}", address=address, why=why)


class ServiceError(AnalyzerError):
    """A service gave no answer. This says nothing about the GIF or the clip."""


class Overloaded(ServiceError, reason="OVERLOADED", grpc_code="RESOURCE_EXHAUSTED", http_status=429):
    """The queue or the memory for requests is full. The caller may try again later."""

    def __init__(
        self, *, limit: int, retry_after_s: float, of: str = "calls are being answered or wait"
    ) -> None:
        message = f"overloaded: {limit:,} {of}; try again in {retry_after_s:g} s"
        super().__init__(message, limit=str(limit), retry_after_s=f"{retry_after_s:g}")


class DeadlineExceeded(
    ServiceError, reason="DEADLINE_EXCEEDED", grpc_code="DEADLINE_EXCEEDED", http_status=504
):
    """The service did not answer in time."""

    def __init__(self, service: str, *, timeout_s: float) -> None:
        message = f"no answer in time: {service} took longer than {timeout_s:g} s"
        super().__init__(message, service=service, timeout_s=f"{timeout_s:g}")


class ServiceUnavailable(
    ServiceError, reason="SERVICE_UNAVAILABLE", grpc_code="UNAVAILABLE", http_status=503
):
    """The service cannot be reached, or the connection ended before the answer."""

    def __init__(self, service: str, why: str) -> None:
        super().__init__(f"cannot reach {service}: {why}", service=service, why=why)


class MessageTooLarge(
    ServiceError, reason="MESSAGE_TOO_LARGE", grpc_code="RESOURCE_EXHAUSTED", http_status=422
):
    """A gRPC message is longer than the service accepts."""

    def __init__(self, service: str, why: str) -> None:
        super().__init__(f"message too large for {service}: {why}", service=service, why=why)


class InternalError(ServiceError, reason="INTERNAL_ERROR", grpc_code="INTERNAL", http_status=500):
    """The service failed unexpectedly. Its log has the details."""

    def __init__(self, why: str = "internal error") -> None:
        super().__init__(f"the service failed: {why}", why=why)


class RequestError(AnalyzerError):
    """The base of errors about the HTTP request itself, not about the GIF."""


class UnknownPath(RequestError, reason="UNKNOWN_PATH", grpc_code="NOT_FOUND", http_status=404):
    """The API has no such path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"unknown path: {path}", path=path)


class MethodNotAllowed(RequestError, reason="METHOD_NOT_ALLOWED", grpc_code="UNIMPLEMENTED", http_status=405):
    """The path does not support this method."""

    def __init__(self, method: str, *, allowed: str) -> None:
        message = f"method not allowed: use {allowed or 'another'}, not {method}"
        super().__init__(message, method=method, allowed=allowed)


class InvalidRequest(RequestError, reason="INVALID_REQUEST", grpc_code="INVALID_ARGUMENT", http_status=400):
    """The request is malformed: its body is broken, or a part is missing."""

    def __init__(self, why: str) -> None:
        super().__init__(f"invalid request: {why}", why=why)


class UnsupportedMedia(
    RequestError, reason="UNSUPPORTED_MEDIA", grpc_code="INVALID_ARGUMENT", http_status=415
):
    """The declared media type of the body is not supported."""

    def __init__(self, found: str, *, expected: str) -> None:
        message = f"unsupported media type: send {expected}, not {found}"
        super().__init__(message, found=found, expected=expected)


class RequestTooLarge(
    RequestError, reason="REQUEST_TOO_LARGE", grpc_code="RESOURCE_EXHAUSTED", http_status=413
):
    """The body is longer than this service accepts, whatever its content."""

    def __init__(self, *, allowed: int, advice: str = "") -> None:
        super().__init__(
            f"request too large: a body is limited to {allowed:,} bytes{f'; {advice}' if advice else ''}",
            allowed=str(allowed),
            **({"advice": advice} if advice else {}),
        )


class RequestTooSlow(RequestError, reason="REQUEST_TOO_SLOW", grpc_code="DEADLINE_EXCEEDED", http_status=408):
    """The body did not arrive in time, or arrives more slowly than the service allows."""

    def __init__(self, why: str) -> None:
        super().__init__(f"request too slow: {why}", why=why)


class RateLimited(RequestError, reason="RATE_LIMITED", grpc_code="RESOURCE_EXHAUSTED", http_status=429):
    """More requests of this kind came in a minute than the service takes."""

    def __init__(self, *, per_minute: int, retry_after_s: float) -> None:
        message = f"too many: {per_minute} a minute are taken; try again in {retry_after_s:.0f} s"
        super().__init__(message, per_minute=str(per_minute), retry_after_s=f"{retry_after_s:g}")


class Unauthorized(RequestError, reason="UNAUTHORIZED", grpc_code="UNAUTHENTICATED", http_status=401):
    """The request has no valid API key."""

    def __init__(self, why: str) -> None:
        super().__init__(f"unauthorized: {why}", why=why)


class FetchError(AnalyzerError):
    """The base of errors about fetching a GIF from its address."""


class InvalidAddress(FetchError, reason="INVALID_ADDRESS", grpc_code="INVALID_ARGUMENT", http_status=400):
    """The text is not an address that can be fetched."""

    def __init__(self, why: str) -> None:
        super().__init__(f"invalid address: {why}", why=why)


class AddressRefused(FetchError, reason="ADDRESS_REFUSED", grpc_code="PERMISSION_DENIED", http_status=403):
    """The address may not be fetched: its host is not allowed or not public."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"address refused: {host}: {why}", host=host, why=why)


class NotFetchable(FetchError, reason="NOT_FETCHABLE", grpc_code="FAILED_PRECONDITION", http_status=422):
    """The address leads to no file that can be fetched. Trying again does not help."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"nothing to fetch from {host}: {why}", host=host, why=why)


class FetchFailed(FetchError, reason="FETCH_FAILED", grpc_code="UNAVAILABLE", http_status=502):
    """The host did not send the file. It may do so later."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"cannot fetch from {host}: {why}", host=host, why=why)


class FetchTimeout(FetchError, reason="FETCH_TIMEOUT", grpc_code="DEADLINE_EXCEEDED", http_status=504):
    """The host did not send the whole file in time."""

    def __init__(self, host: str, *, timeout_s: float) -> None:
        message = f"{host} did not send the file within {timeout_s:g} s"
        super().__init__(message, host=host, timeout_s=f"{timeout_s:g}")
