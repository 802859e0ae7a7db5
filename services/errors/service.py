"""A service cannot start, or gave no answer."""

from __future__ import annotations

from services.errors.base import AnalyzerError


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
