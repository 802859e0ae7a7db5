"""The bytes are not a GIF that can be shown."""

from __future__ import annotations

from services.errors.base import AnalyzerError


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
