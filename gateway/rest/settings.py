"""What may be set of the REST gateway, as one frozen value."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

ENVELOPE_BYTES = 1 << 20  # what multipart may put around a GIF; and a GIF so much too long is told so by name


@dataclass(frozen=True)
class RestSettings:
    """How the gateway answers.

    Attributes:
        max_body_bytes: of a request; a longer one is refused before it is read whole.
        body_advice: what the refusal adds, for a door that is narrower than the GIFs it takes.
        workers: GIFs computed at the same time, at least 1.
        in_flight: requests to identify that are answered at the same time, at least 1; those beyond are told
            when to come again.
        cache_bytes: that answers may take in memory, 0 for none.
        api_keys: one of which must be sent with a question; none leaves the door open. Never in a log.
        cors_origins: whose pages may ask from a browser, such as https://example.org, or * for all.
        metrics: whether /metrics answers.
    """

    max_body_bytes: int = 25_000_000 + ENVELOPE_BYTES
    body_advice: str = ""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    in_flight: int = 64
    cache_bytes: int = 32_000_000  # some thousand answers; a hundred of them with their pictures take 10 MB
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    cors_origins: tuple[str, ...] = ()
    metrics: bool = True
