"""What may be set of the REST gateway, as one frozen value."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

ENVELOPE_BYTES = 1_000_000  # room for multipart around a GIF, and to name the limit that a GIF exceeds


@dataclass(frozen=True)
class RestSettings:
    """How the gateway answers.

    Attributes:
        max_body_bytes: of a request; a longer one is refused before it is read whole.
        body_advice: what the refusal adds, for a door that is narrower than the GIFs it takes.
        workers: GIFs computed at the same time, at least 1.
        in_flight: GIFs that are computed or wait for it at the same time, at least 1; those beyond are told
            when to come again. A body that is still arriving is none of them.
        fetches: addresses that are fetched at the same time, at least 1; those beyond are told so too.
        connections: open at the same time, at least 1. One more closes the connection that has been idle
            longest; where none is idle, its body is refused.
        body_s: seconds that a whole body may take, more than 0.
        body_bytes_per_s: that must arrive of a body, measured over ten seconds; 0 for no such limit.
        keep_alive_s: seconds that a connection stays open after an answer, more than 0. Longer than the 60 s
            of usual load balancers: they must be the ones who close it, or they send into a closed one.
        cache_bytes: that answers may take in memory, 0 for none.
        api_keys: one of which must be sent with a question; none leaves the door open. Never in a log.
        cors_origins: whose pages may ask from a browser, such as https://example.org, or * for all.
        metrics: whether /metrics answers.
    """

    max_body_bytes: int = 25_000_000 + ENVELOPE_BYTES
    body_advice: str = ""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    in_flight: int = 64
    fetches: int = 64
    connections: int = 512  # with fetches, within the 1,024 open files that Linux gives a process
    body_s: float = 300.0
    body_bytes_per_s: int = 1_000
    keep_alive_s: float = 75.0
    cache_bytes: int = 32_000_000  # some thousand answers; a hundred of them with their pictures take 10 MB
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    cors_origins: tuple[str, ...] = ()
    metrics: bool = True
