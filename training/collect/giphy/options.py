"""How Giphy is asked: known to the command line, which offers it where nothing that asks is installed."""

from __future__ import annotations

from dataclasses import dataclass

from services.names import UNREADABLE, plain_address
from training.errors import InvalidOptions

NAME = "giphy"


@dataclass(frozen=True)
class GiphyOptions:
    """How Giphy is asked.

    Attributes:
        api: address of the API, up to its version.
        calls_per_hour: that the key allows; 100 for a beta key.
        attempts: of one request, at least 1.
        timeout_s: for a connection, and between two parts of an answer, in seconds; a whole answer may take
            four times as long.
        backoff_s: first pause before another attempt, in seconds; it doubles with each, up to a minute.
        max_bytes: of one GIF; smaller renditions are preferred anyway.
    """

    api: str = "https://api.giphy.com"
    calls_per_hour: int = 100
    attempts: int = 5
    timeout_s: float = 15.0
    backoff_s: float = 1.0
    max_bytes: int = 8_000_000

    def __post_init__(self) -> None:
        import httpx  # noqa: PLC0415 - the defaults are known where nothing that asks is installed

        shown = plain_address(self.api)
        try:
            is_http = shown is not None and httpx.URL(self.api).scheme in ("http", "https")
        except httpx.InvalidURL:
            is_http = False
        for ok, option, expected, found in (
            (is_http, "api", "an http address", shown or UNREADABLE),
            (self.calls_per_hour >= 1, "calls_per_hour", "at least 1", self.calls_per_hour),
            (self.attempts >= 1, "attempts", "at least 1", self.attempts),
            (self.timeout_s > 0, "timeout_s", "above 0", self.timeout_s),
            (self.backoff_s >= 0, "backoff_s", "at least 0", self.backoff_s),
            (self.max_bytes >= 1, "max_bytes", "at least 1", self.max_bytes),
        ):
            if not ok:
                raise InvalidOptions(option, expected=expected, found=str(found))
