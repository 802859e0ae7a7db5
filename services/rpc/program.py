"""A server as a program: **command line** -> `ServerSettings` -> JSON log lines until it has drained.

Exit codes: 0 drained, 2 it cannot start.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from services.errors import AnalyzerError
from services.extras import version_text
from services.log import log_as_json
from services.memory import keep_freed_memory
from services.rpc.server import RpcServer, serve
from services.rpc.settings import ServerSettings, ServerTls

CANNOT_START = 2

_log = logging.getLogger(__name__)


def server_options() -> argparse.ArgumentParser:
    """Return the options of every server, to be a parent of its parser."""
    defaults = ServerSettings()
    options = argparse.ArgumentParser(add_help=False)
    listen = options.add_argument_group("where it listens")
    listen.add_argument("--host", default=defaults.host, help="name or address; 0.0.0.0 is every interface")
    listen.add_argument(
        "--port", type=_port, default=defaults.port, help="0 is any free one, told in the log"
    )
    listen.add_argument(
        "--metrics-port",
        type=_port,
        default=None,
        help="of the Prometheus page, on the same host",
    )
    load = options.add_argument_group("how much it takes on, and how it ends")
    load.add_argument("--workers", type=at_least_1, default=defaults.workers, help="calls computed at a time")
    load.add_argument(
        "--waiting", type=_at_least_0, default=defaults.waiting, help="calls that may wait; more are refused"
    )
    load.add_argument(
        "--grace", type=_seconds, default=defaults.grace_s, help="seconds for calls in flight after SIGTERM"
    )
    load.add_argument(
        "--notice",
        type=_seconds,
        default=defaults.notice_s,
        help="seconds between saying NOT_SERVING and refusing calls",
    )
    tls = options.add_argument_group("TLS (files in PEM)")
    tls.add_argument("--tls-certificate", type=Path, metavar="FILE", help="of the server, with its chain")
    tls.add_argument("--tls-key", type=Path, metavar="FILE", help="of that certificate")
    tls.add_argument(
        "--tls-client-ca",
        type=Path,
        metavar="FILE",
        help="who signs clients: then each must show a certificate",
    )
    return options


def parser(description: str, example: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Return a command line that takes the options of a server and those of `parents`."""
    made = argparse.ArgumentParser(
        prog=example.split(" --", maxsplit=1)[0],
        description=description,
        epilog=f"example: {example}",
        parents=[server_options(), *parents],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("--version", action="version", version=version_text(made.prog))
    return made


def server_settings(options: argparse.Namespace) -> ServerSettings:
    """Put the options of `server_options` together.

    Raises:
        ValueError: a certificate without its key, or the other way round.
    """
    return ServerSettings(
        host=options.host,
        port=options.port,
        workers=options.workers,
        waiting=options.waiting,
        grace_s=options.grace,
        notice_s=options.notice,
        metrics_port=options.metrics_port,
        tls=ServerTls.of(options.tls_certificate, options.tls_key, options.tls_client_ca),
    )


def run(build: Callable[[], RpcServer]) -> NoReturn:
    """Serve until SIGTERM or SIGINT has drained the server, then end the process.

    Args:
        build: makes the server, on the event loop that will run it.
    """
    log_as_json()
    keep_freed_memory()

    async def main() -> None:
        await serve(build())

    try:
        asyncio.run(main())
    except (AnalyzerError, ValueError) as error:
        reason = error.reason if isinstance(error, AnalyzerError) else "USAGE"
        _log.error("cannot start", extra={"reason": reason, "why": str(error)})
        sys.exit(CANNOT_START)
    # A thread may still compute for a caller that is gone, and Python would wait for it past the grace time.
    logging.shutdown()
    os._exit(0)


def _at_least_0(text: str) -> int:
    return _whole(text, 0, None)


def at_least_1(text: str) -> int:
    """Read a whole number, at least 1, from a command line."""
    return _whole(text, 1, None)


def _port(text: str) -> int:
    return _whole(text, 0, 65535)


def _whole(text: str, least: int, most: int | None) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least or (most is not None and value > most):
        until = "" if most is None else f" and at most {most}"
        raise argparse.ArgumentTypeError(f"must be a whole number, at least {least}{until}, not {text!r}")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, at least 0, not {text!r}")
    return value
