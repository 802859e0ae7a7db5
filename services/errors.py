"""Every error a user of GIF Analyzer can meet, in one catalogue.

    AnalyzerError
    ├── GifError            the bytes are not a GIF that can be shown
    │   ├── NotAGif         NOT_A_GIF
    │   ├── CorruptGif      CORRUPT_GIF
    │   └── GifTooLarge     GIF_TOO_LARGE
    ├── UnreadableFile      UNREADABLE_FILE
    ├── InvalidArgument     INVALID_ARGUMENT
    ├── InvalidClip         INVALID_CLIP
    ├── InvalidSetting      INVALID_SETTING
    ├── ModelError          MODEL_ERROR
    ├── ModelNotFound       MODEL_NOT_FOUND
    ├── CannotServe         CANNOT_SERVE
    └── ServiceError        a service that was asked gave no answer
        ├── Overloaded          OVERLOADED
        ├── DeadlineExceeded    DEADLINE_EXCEEDED
        ├── ServiceUnavailable  SERVICE_UNAVAILABLE
        ├── MessageTooLarge     MESSAGE_TOO_LARGE
        └── InternalError       INTERNAL_ERROR

Each class carries its reason, its gRPC status code and its HTTP status; the doors (gRPC, HTTP, command
line) read them from here and keep no table of their own. The codes are plain names and numbers: nothing
here knows a wire.
"""

from __future__ import annotations

from typing import ClassVar

DOMAIN = "gif-analyzer"  # of google.rpc.ErrorInfo: the reasons below are unique within it


class AnalyzerError(Exception):
    """The base of the family: a reason for programs, a message for people, details for both.

    Attributes:
        reason: UPPER_SNAKE_CASE, stable across versions.
        grpc_code: name of a gRPC status code.
        http_status: 400..599.
        details: what the message says, as values by name.
    """

    reason: ClassVar[str]
    grpc_code: ClassVar[str]
    http_status: ClassVar[int]

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    @classmethod
    def restore(cls, message: str, details: dict[str, str]) -> AnalyzerError:
        """Make the error again from what a wire carried of it."""
        error = cls.__new__(cls)
        AnalyzerError.__init__(error, message, **details)
        return error


class GifError(AnalyzerError):
    """The bytes are not a GIF that can be shown."""


class NotAGif(GifError):
    """The bytes are something else than a GIF; the message says what."""

    reason = "NOT_A_GIF"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 415

    def __init__(self, found: str) -> None:
        super().__init__(f"not a GIF: this is {found}", found=found)


class CorruptGif(GifError):
    """The bytes begin as a GIF and hold not one whole frame."""

    reason = "CORRUPT_GIF"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 422

    def __init__(self, why: str) -> None:
        super().__init__(f"corrupt GIF: {why}", why=why)


class GifTooLarge(GifError):
    """The GIF asks for more than the budget allows: names the limit, its value and what was found."""

    reason = "GIF_TOO_LARGE"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 413

    def __init__(self, limit: str, *, allowed: int, found: int, unit: str, at_least: bool = False) -> None:
        has = "has at least" if at_least else "has"
        super().__init__(
            f"GIF too large: {limit} is limited to {allowed:,} {unit}, this one {has} {found:,}",
            limit=limit,
            allowed=str(allowed),
            found=str(found),
            unit=unit,
        )


class UnreadableFile(AnalyzerError):
    """A file that was named cannot be read: it is missing, a directory, or not ours to open."""

    reason = "UNREADABLE_FILE"
    grpc_code = "NOT_FOUND"
    http_status = 404

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"cannot read the file: {why}", path=path, why=why)


class InvalidArgument(AnalyzerError):
    """A value given beside the GIF or the clip is out of its range."""

    reason = "INVALID_ARGUMENT"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400

    def __init__(self, field: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"invalid {field}: it must be {expected}, this is {found}",
            field=field,
            expected=expected,
            found=found,
        )


class InvalidClip(AnalyzerError):
    """A clip does not have the shape, the type or the range that both steps agreed on."""

    reason = "INVALID_CLIP"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400

    def __init__(self, field: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"invalid clip: {field} must be {expected}, this is {found}",
            field=field,
            expected=expected,
            found=found,
        )


class InvalidSetting(AnalyzerError):
    """A variable of the environment holds what its setting cannot be; names the variable."""

    reason = "INVALID_SETTING"
    grpc_code = "FAILED_PRECONDITION"
    http_status = 500

    def __init__(self, variable: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"invalid setting: {variable} must be {expected}, it is {found!r}",
            variable=variable,
            expected=expected,
            found=found,
        )


class ModelError(AnalyzerError):
    """A file is not a model that takes a clip and names shows."""

    reason = "MODEL_ERROR"
    grpc_code = "FAILED_PRECONDITION"
    http_status = 500

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"not a usable model: {path}: {why}", path=path, why=why)


class ModelNotFound(AnalyzerError):
    """A service was asked for a model that it does not serve."""

    reason = "MODEL_NOT_FOUND"
    grpc_code = "NOT_FOUND"
    http_status = 404

    def __init__(self, name: str, version: str, *, served: str) -> None:
        asked = f"{name} {version}".strip() or "without a name"
        super().__init__(
            f"no such model: {asked}; this service has {served}", name=name, version=version, served=served
        )


class CannotServe(AnalyzerError):
    """A service cannot start at its address: it is taken, or the certificates are none."""

    reason = "CANNOT_SERVE"
    grpc_code = "FAILED_PRECONDITION"
    http_status = 500

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"cannot serve at {address}: {why}", address=address, why=why)


class ServiceError(AnalyzerError):
    """A service that was asked gave no answer: nothing is said about the GIF or the clip."""


class Overloaded(ServiceError):
    """As many calls wait as may: try again later."""

    reason = "OVERLOADED"
    grpc_code = "RESOURCE_EXHAUSTED"
    http_status = 429

    def __init__(self, *, limit: int, retry_after_s: float) -> None:
        super().__init__(
            f"overloaded: {limit} calls are being answered or wait; try again in {retry_after_s:g} s",
            limit=str(limit),
            retry_after_s=f"{retry_after_s:g}",
        )


class DeadlineExceeded(ServiceError):
    """The answer did not come in time."""

    reason = "DEADLINE_EXCEEDED"
    grpc_code = "DEADLINE_EXCEEDED"
    http_status = 504

    def __init__(self, service: str, *, timeout_s: float) -> None:
        super().__init__(
            f"no answer in time: {service} took longer than {timeout_s:g} s",
            service=service,
            timeout_s=f"{timeout_s:g}",
        )


class ServiceUnavailable(ServiceError):
    """The service cannot be reached, or it went away before it answered."""

    reason = "SERVICE_UNAVAILABLE"
    grpc_code = "UNAVAILABLE"
    http_status = 503

    def __init__(self, service: str, why: str) -> None:
        super().__init__(f"cannot reach {service}: {why}", service=service, why=why)


class MessageTooLarge(ServiceError):
    """A request is longer than the service accepts at all."""

    reason = "MESSAGE_TOO_LARGE"
    grpc_code = "RESOURCE_EXHAUSTED"
    http_status = 413

    def __init__(self, service: str, why: str) -> None:
        super().__init__(f"message too large for {service}: {why}", service=service, why=why)


class InternalError(ServiceError):
    """A fault of the service: its log says more."""

    reason = "INTERNAL_ERROR"
    grpc_code = "INTERNAL"
    http_status = 500

    def __init__(self, why: str = "internal error") -> None:
        super().__init__(f"the service failed: {why}", why=why)


def catalogue() -> dict[str, type[AnalyzerError]]:
    """Every class that carries a reason, by that reason."""
    found: dict[str, type[AnalyzerError]] = {}
    waiting = [AnalyzerError]
    while waiting:
        error = waiting.pop()
        waiting.extend(error.__subclasses__())
        if "reason" in vars(error):
            found[error.reason] = error
    return found
