"""The bytes are not a GIF that can be shown."""

from __future__ import annotations

from services.errors.base import AnalyzerError


class GifError(AnalyzerError):
    """The bytes are not a GIF that can be shown."""


class NotAGif(GifError):
    """The bytes are of no format that is read here; the message says what they are."""

    reason = "NOT_A_GIF"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 415

    def __init__(self, found: str) -> None:
        super().__init__(f"not a GIF, WebP, PNG or JPEG: this is {found}", found=found)


class CorruptGif(GifError):
    """The bytes begin as a GIF, or as another format that is read, and hold not one whole frame."""

    reason = "CORRUPT_GIF"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 422

    def __init__(self, why: str, *, kind: str = "GIF") -> None:
        super().__init__(f"corrupt {kind}: {why}", why=why)


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
