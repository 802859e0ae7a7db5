"""A GIF that was named by its address cannot be had."""

from __future__ import annotations

from services.errors.base import AnalyzerError


class FetchError(AnalyzerError):
    """The address gave no GIF; what it gave, if anything, was not looked at."""


class InvalidAddress(FetchError):
    """The text is not an address that can be fetched."""

    reason = "INVALID_ADDRESS"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400

    def __init__(self, why: str) -> None:
        super().__init__(f"invalid address: {why}", why=why)


class AddressRefused(FetchError):
    """The address may not be fetched: its host is not allowed, or is not of the public internet."""

    reason = "ADDRESS_REFUSED"
    grpc_code = "PERMISSION_DENIED"
    http_status = 403

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"address refused: {host}: {why}", host=host, why=why)


class FetchFailed(FetchError):
    """The host was asked and did not send the file."""

    reason = "FETCH_FAILED"
    grpc_code = "UNAVAILABLE"
    http_status = 502

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"cannot fetch from {host}: {why}", host=host, why=why)


class FetchTimeout(FetchError):
    """The host did not send the whole file in time."""

    reason = "FETCH_TIMEOUT"
    grpc_code = "DEADLINE_EXCEEDED"
    http_status = 504

    def __init__(self, host: str, *, timeout_s: float) -> None:
        super().__init__(
            f"{host} did not send the file within {timeout_s:g} s", host=host, timeout_s=f"{timeout_s:g}"
        )
