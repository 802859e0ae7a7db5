"""What may be set of a server and of a channel, as frozen values."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ServerTls:
    """Files, in PEM, that a server shows and checks.

    Attributes:
        certificate: of the server, with its chain.
        key: of that certificate.
        client_ca: certificates that sign those of clients. With it every client must show one (mutual TLS).
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None, client_ca: Path | None) -> ServerTls | None:
        """Put files together; None when there are none, and so no TLS.

        Raises:
            ValueError: a certificate without its key, a key without its certificate, or clients without both.
        """
        if certificate is not None and key is not None:
            return cls(certificate, key, client_ca)
        if (certificate, key, client_ca) == (None, None, None):
            return None
        raise ValueError("TLS takes both a certificate and its key")


@dataclass(frozen=True)
class ServerSettings:
    """How a server listens, how much it takes on, and how it ends.

    Attributes:
        host: name or address to listen at.
        port: 0 for any free one, else 1..65535.
        workers: calls computed at the same time, at least 1.
        waiting: calls that may wait beside them, at least 0. One more is refused at once: a queue without an
            end would answer everyone too late.
        grace_s: seconds that calls in flight get to finish after SIGTERM, at least 0.
        notice_s: seconds between saying NOT_SERVING and refusing calls, at least 0: what a load balancer
            needs to look elsewhere.
        metrics_port: of the Prometheus page, on the same host; None for no page.
        tls: None for plain text.
    """

    host: str = "127.0.0.1"
    port: int = 50051
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    waiting: int = 64
    grace_s: float = 30.0
    notice_s: float = 0.0
    metrics_port: int | None = None
    tls: ServerTls | None = None


@dataclass(frozen=True)
class ClientTls:
    """Files, in PEM, that a client checks and shows.

    Attributes:
        ca: certificates that sign the server's; None for those that gRPC carries.
        certificate: of the client, where the server asks for one.
        key: of that certificate.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class ChannelSettings:
    """How a client asks.

    Attributes:
        timeout_s: seconds for one call with all its tries, more than 0.
        attempts: tries of one call, 1..5, the first one counted; only UNAVAILABLE is tried again.
        keepalive_s: seconds without traffic after which the connection is probed, at least 10.
        tls: None for plain text.
    """

    timeout_s: float = 30.0
    attempts: int = 4
    keepalive_s: float = 30.0
    tls: ClientTls | None = None


DEFAULT_CHANNEL = ChannelSettings()
