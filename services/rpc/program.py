"""A gRPC server as a program: its command line options, its JSON log and its exit codes.

Exit codes: 0 after a graceful shutdown, 2 if it cannot start.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from services import tracing
from services.errors import AnalyzerError
from services.otel import start_export
from services.process import keep_freed_memory, log_as_json
from services.rpc.server import RpcServer, serve
from services.rpc.settings import ServerSettings, ServerTls
from services.terminal import new_app, version_option

CANNOT_START = 2
DEFAULTS = ServerSettings()

_log = logging.getLogger(__name__)


def option(group: str, text: str, *names: str, **limits: Any) -> Any:
    """Declare an option of a program.

    Args:
        group: under which --help lists it.
        text: what --help says about it.
        names: such as "--early-exit"; none to derive them from the parameter.
        limits: other arguments of `typer.Option`, such as min, max and metavar.
    """
    return typer.Option(*names, help=text, rich_help_panel=group, **limits)


def _seconds(value: float) -> float:
    if not 0 <= value < 1e6:  # also refuses nan, which min and max of Typer would accept
        raise typer.BadParameter("must be a number of seconds, at least 0")
    return value


_LISTEN, _LOAD, _TLS = "Where it listens", "How much it accepts, and how it shuts down", "TLS (files in PEM)"


def server_settings(
    *,
    host: Annotated[
        str, option(_LISTEN, "Name or address to listen on; 0.0.0.0 is every interface.")
    ] = DEFAULTS.host,
    port: Annotated[
        int, option(_LISTEN, "0 is any free port; the log names it.", min=0, max=65535)
    ] = DEFAULTS.port,
    metrics_port: Annotated[
        int | None, option(_LISTEN, "Port of the Prometheus page, on the same host.", min=0, max=65535)
    ] = DEFAULTS.metrics_port,
    workers: Annotated[int, option(_LOAD, "Calls computed at the same time.", min=1)] = DEFAULTS.workers,
    waiting: Annotated[
        int, option(_LOAD, "Calls that may wait; further ones are refused.", min=0)
    ] = DEFAULTS.waiting,
    grace: Annotated[
        float, option(_LOAD, "Seconds for running calls after SIGTERM.", callback=_seconds)
    ] = DEFAULTS.grace_s,
    notice: Annotated[
        float, option(_LOAD, "Seconds between reporting NOT_SERVING and refusing calls.", callback=_seconds)
    ] = DEFAULTS.notice_s,
    tls_certificate: Annotated[
        Path | None, option(_TLS, "Certificate of the server, with its chain.", metavar="FILE")
    ] = None,
    tls_key: Annotated[Path | None, option(_TLS, "Key of that certificate.", metavar="FILE")] = None,
    tls_client_ca: Annotated[
        Path | None,
        option(_TLS, "CA of the clients; then every client must present a certificate.", metavar="FILE"),
    ] = None,
) -> ServerSettings:
    """Combine the options of every server.

    Raises:
        ValueError: a certificate without its key, or a key without its certificate.
    """
    tls = ServerTls.of(tls_certificate, tls_key, tls_client_ca)
    return ServerSettings(host, port, workers, waiting, grace, notice, metrics_port, tls)


def serve_program(
    name: str,
    description: str,
    services: dict[Callable[..., Any], Callable[..., None]],
    *,
    traced_as: str,
) -> None:
    """Read the command line and serve.

    Args:
        name: of the program, as it is typed.
        description: Markdown, shown by --help.
        services: what to serve. The parameters of each key are the options of the service; the value adds the
            service to a server, given what the key returns.
        traced_as: name of the process in traces.
    """
    makers: tuple[Callable[..., Any], ...] = (server_settings, *services, version_option(name))
    groups = {maker: inspect.signature(maker, eval_str=True).parameters for maker in makers}

    def command(**values: Any) -> None:
        def make(maker: Callable[..., Any]) -> Any:
            return maker(**{option: values[option] for option in groups[maker]})

        def build() -> RpcServer:
            server = RpcServer(make(server_settings))
            for maker, add in services.items():
                add(server, make(maker))
            return server

        run(build, traced_as=traced_as)

    parameters = [parameter for group in groups.values() for parameter in group.values()]
    # Typer reads the options from the signature.
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    )
    app = new_app(add_completion=False)
    app.command(help=description)(command)
    app(prog_name=name)


def run(build: Callable[[], RpcServer], *, traced_as: str) -> NoReturn:
    """Serve until SIGTERM or SIGINT, shut down gracefully, and end the process.

    Args:
        build: creates the server, in the event loop that runs it.
        traced_as: name of the process in traces.
    """
    log_as_json()
    keep_freed_memory()

    async def serve_built() -> None:
        await serve(build())

    try:
        start_export(traced_as)
        asyncio.run(serve_built())
    except (AnalyzerError, ValueError) as error:
        reason = error.reason if isinstance(error, AnalyzerError) else "USAGE"
        _log.error("cannot start", extra={"reason": reason, "why": str(error)})
        sys.exit(CANNOT_START)
    # A thread may still compute for a call that was cut off. Python would wait for it, past the grace time.
    tracing.close()
    logging.shutdown()
    os._exit(0)
