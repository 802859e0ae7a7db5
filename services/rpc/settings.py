"""Settings of the gRPC servers and clients, as frozen values. This module does not import grpc."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import UnreadableFile, os_reason


@dataclass(frozen=True)
class ServerTls:
    """PEM files of a server.

    Attributes:
        certificate: of the server, with its chain.
        key: of that certificate.
        client_ca: CA certificates. If set, every client must present a certificate signed by one of them
            (mutual TLS).
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None, client_ca: Path | None) -> ServerTls | None:
        """Combine options; None if no file is given, which means no TLS.

        Raises:
            ValueError: only one of certificate and key is given, or client_ca without them.
        """
        if certificate is not None and key is not None:
            return cls(certificate, key, client_ca)
        if (certificate, key, client_ca) == (None, None, None):
            return None
        raise ValueError("TLS takes both a certificate and its key")


@dataclass(frozen=True)
class ServerSettings:
    """Where a server listens, how much work it accepts, and how it shuts down.

    Attributes:
        host: name or address to listen on.
        port: 1..65535, or 0 for any free port.
        workers: calls computed at the same time, at least 1.
        waiting: calls that may wait beside them, at least 0. Further calls are refused at once, because in an
            unlimited queue every call would be answered too late.
        grace_s: seconds that running calls get to finish after SIGTERM, at least 0.
        notice_s: seconds between reporting NOT_SERVING and refusing calls, at least 0. A load balancer needs
            this time to stop sending calls.
        metrics_port: port of the Prometheus page on the same host; None for no page.
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
    """PEM files of a client.

    Attributes:
        ca: CA certificates to check the server with; None for the ones that gRPC contains.
        certificate: of the client, if the server requires one.
        key: of that certificate.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class ChannelSettings:
    """How a client calls a service.

    Attributes:
        timeout_s: seconds for one call with all its attempts, more than 0.
        attempts: of one call, 1..5, including the first; UNAVAILABLE is retried, and OVERLOADED after the
            time that the service asks for.
        keepalive_s: seconds without traffic after which the connection is probed, at least 10.
        tls: None for plain text.
    """

    timeout_s: float = 30.0
    attempts: int = 4
    keepalive_s: float = 30.0
    tls: ClientTls | None = None


DEFAULT_CHANNEL = ChannelSettings()


def read_pem(path: Path) -> bytes:
    """Read a TLS file.

    Raises:
        UnreadableFile: it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(str(path), os_reason(error)) from error
