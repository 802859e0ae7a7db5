"""`gif-analyzer serve`: servers that run until they are stopped."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from typing import Annotated, NoReturn

import typer

from gateway.commands.options import (
    Inference,
    Library,
    Model,
    Preprocess,
    check_services,
    open_pipeline,
    read_settings,
)
from gateway.commands.terminal import usage_errors
from gateway.library import ServedLibrary
from gateway.settings import Settings, is_loopback
from services import tracing
from services.errors import InvalidSetting
from services.inference import Classifier
from services.otel import start_export

Host = Annotated[str, typer.Option(help="Name or address to listen at; 0.0.0.0 is every interface.")]
GrpcHost = Annotated[str, typer.Option(help="Name or address at which the gRPC services listen.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 is any free one, which the log names.")]

Teach = Annotated[
    bool,
    typer.Option("--teach", help="Let those with an API key put GIFs into the library, also from the page."),
]
KeepThumbnails = Annotated[
    bool,
    typer.Option(
        "--keep-thumbnails", help="Keep a small picture of each GIF that is taught, beside the library."
    ),
]

serve = typer.Typer(help="Start services that run until they are stopped.")


@serve.callback(invoke_without_command=True)
def serve_both(
    context: typer.Context,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    grpc_host: GrpcHost = "127.0.0.1",
    grpc_port: Port = 50051,
    model: Model = None,
    library: Library = None,
    teach: Teach = False,
    keep_thumbnails: KeepThumbnails = False,
) -> None:
    """Serve REST and the web page, and both steps over gRPC behind them, until SIGTERM or Ctrl-C.

    The gRPC services are for this machine alone unless --grpc-host says otherwise. They check no API keys, so
    with GIF_ANALYZER_API_KEYS another address is refused unless clients must show certificates.
    `serve rest` and `serve grpc` start one of the two alone. The log is JSON on standard error; on a terminal
    it begins with the address to open.

    With --teach, those who have one of GIF_ANALYZER_API_KEYS can put GIFs into the library and remove them,
    by REST and on the page. The library is made if it is missing.

    **Examples**

        gif-analyzer serve

        gif-analyzer serve --host 0.0.0.0 --port 80

        gif-analyzer serve --library my.library

        GIF_ANALYZER_API_KEYS=secret gif-analyzer serve --library my.library --teach --keep-thumbnails

        gif-analyzer serve --host 0.0.0.0 --grpc-host 0.0.0.0

    **Exit codes**: 0 when it ended on request, 2 when it could not start.

    **Settings** from the environment: those of `serve rest` and of `serve grpc`.
    """
    if context.invoked_subcommand is not None:
        return
    with usage_errors("grpc,rest"):
        settings = read_settings(model, library=library)
        _check_keys(settings, grpc_host, "--grpc-host")
        from gateway.remote import remote  # noqa: PLC0415 - an extra, as all that follow
        from gateway.rest import server  # noqa: PLC0415
        from services.pair import build_pair  # noqa: PLC0415
        from services.process import log_as_json  # noqa: PLC0415
        from services.rpc.server import serving  # noqa: PLC0415

        log_as_json()
        start_export("gif-analyzer")
        served = _open_library(settings, teach=teach, keep_thumbnails=keep_thumbnails)
        listening = dataclasses.replace(settings.server, host=grpc_host, port=grpc_port)
        classifier = _open_classifier(settings)
        # REST ends first, so that the services still answer the requests it has begun.
        with serving(lambda: build_pair(listening, classifier, settings.budget)) as bound:
            address = server.nearby(grpc_host, bound)
            pipeline = remote(
                address,
                address,
                channel=settings.channel,
                budget=settings.budget,
                logs_answers=True,
            )
            server.serve(pipeline, settings, host=host, port=port, library=served, opened=_say_where)
    _end()


@serve.command("rest")
def serve_rest(
    *,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    model: Model = None,
    preprocess: Preprocess = None,
    inference: Inference = None,
    library: Library = None,
    teach: Teach = False,
    keep_thumbnails: KeepThumbnails = False,
) -> None:
    """Serve REST and the web page, until SIGTERM or Ctrl-C.

    GIFs are computed in this process, or by the two services that are named. docs/rest.md describes the API.
    The log is JSON on standard error.

    **Examples**

        gif-analyzer serve rest

        gif-analyzer serve rest --preprocess localhost:50051 --inference localhost:50051

    **Exit codes**: 0 when it ended on request, 2 when it could not start.

    **Settings** from the environment: those of `identify`; GIF_ANALYZER_MAX_BODY_BYTES,
    GIF_ANALYZER_BODY_S, GIF_ANALYZER_BODY_BYTES_PER_S, GIF_ANALYZER_IN_FLIGHT, GIF_ANALYZER_FETCHES,
    GIF_ANALYZER_HELD_BYTES, GIF_ANALYZER_ALLOWED_HOSTS,
    GIF_ANALYZER_CONNECTIONS, GIF_ANALYZER_KEEP_ALIVE_S, GIF_ANALYZER_CACHE_BYTES, GIF_ANALYZER_API_KEYS,
    GIF_ANALYZER_CORS_ORIGINS, GIF_ANALYZER_METRICS, GIF_ANALYZER_FEEDBACK,
    GIF_ANALYZER_FEEDBACK_PER_MINUTE, GIF_ANALYZER_FEEDBACK_FILE, GIF_ANALYZER_FEEDBACK_GIFS,
    GIF_ANALYZER_SHADOW_MODEL, GIF_ANALYZER_SHADOW_SHARE, GIF_ANALYZER_WORKERS, GIF_ANALYZER_GRACE_S and
    GIF_ANALYZER_NOTICE_S.
    """
    check_services(preprocess, inference, model, library=library)
    with usage_errors("rest" if preprocess is None else "grpc,rest"):
        settings = read_settings(model, library=library)
        from gateway.rest import server  # noqa: PLC0415 - an extra
        from services.process import log_as_json  # noqa: PLC0415

        log_as_json()
        start_export("gif-analyzer-gateway")
        of_service = inference is not None
        if of_service and settings.shadow_model is not None:
            expected = "left out where classifying is a service, which has its own --shadow-model"
            found = str(settings.shadow_model)
            raise InvalidSetting("GIF_ANALYZER_SHADOW_MODEL", expected=expected, found=found)
        served = _open_library(settings, teach=teach, keep_thumbnails=keep_thumbnails, of_service=of_service)
        pipeline = open_pipeline(settings, preprocess, inference)
        server.serve(pipeline, settings, host=host, port=port, library=served, opened=_say_where)
    _end()


@serve.command("grpc")
def serve_grpc(
    host: Host = "127.0.0.1", port: Port = 50051, model: Model = None, library: Library = None
) -> None:
    """Serve both steps over gRPC on one port, until SIGTERM or Ctrl-C.

    The contracts are in proto/; health and reflection are served too. The log is JSON on standard error.

    **Examples**

        gif-analyzer serve grpc

        gif-analyzer serve grpc --host 0.0.0.0 --port 50051

    **Exit codes**: 0 when it ended on request, 2 when it could not start.

    **Settings** from the environment: those of `identify`; GIF_ANALYZER_WORKERS, GIF_ANALYZER_WAITING,
    GIF_ANALYZER_GRACE_S, GIF_ANALYZER_NOTICE_S, GIF_ANALYZER_METRICS_PORT; and for TLS
    GIF_ANALYZER_SERVER_CERTIFICATE, GIF_ANALYZER_SERVER_KEY and GIF_ANALYZER_CLIENT_CA.
    """
    with usage_errors("grpc"):
        settings = read_settings(model, library=library)
        _check_keys(settings, host, "--host")
        from services.pair import build_pair  # noqa: PLC0415 - grpc is an extra
        from services.rpc.program import run  # noqa: PLC0415

        listening = dataclasses.replace(settings.server, host=host, port=port)
        run(
            lambda: build_pair(listening, _open_classifier(settings), settings.budget),
            traced_as="gif-analyzer-services",
        )


def _check_keys(settings: Settings, host: str, option: str) -> None:
    """Refuse to serve gRPC to other machines without a check although API keys are set.

    Raises:
        typer.BadParameter: names the option and the remedy.
    """
    tls = settings.server.tls
    if settings.rest.api_keys and not is_loopback(host) and (tls is None or tls.client_ca is None):
        raise typer.BadParameter(
            "gRPC checks no API keys: use 127.0.0.1, or ask for certificates with GIF_ANALYZER_CLIENT_CA",
            param_hint=option,
        )


def _open_classifier(settings: Settings) -> Classifier:
    return Classifier(
        settings.model,
        threads=settings.threads,
        early_exit=settings.early_exit,
        library=settings.library,
        shadow=settings.open_shadow(),
    )


def _open_library(
    settings: Settings, *, teach: bool, keep_thumbnails: bool, of_service: bool = False
) -> ServedLibrary | None:
    """Open the library for REST, before the pipeline opens it: with `teach` it is made if it is missing.

    Raises:
        LibraryError: it cannot be read, or with `teach` not be written.
        typer.BadParameter: `teach` without a library or without a key, or thumbnails without `teach`.
    """
    if keep_thumbnails and not teach:
        raise typer.BadParameter(
            "it is for GIFs that are taught: add --teach", param_hint="--keep-thumbnails"
        )
    if teach and of_service:
        raise typer.BadParameter("the service has its own library, or none", param_hint="--teach")
    if teach and settings.library is None:
        raise typer.BadParameter("name the library with --library", param_hint="--teach")
    if teach and not settings.rest.api_keys:
        raise typer.BadParameter(
            "anybody could change the library: set GIF_ANALYZER_API_KEYS", param_hint="--teach"
        )
    if settings.library is None or of_service:
        return None
    teacher = Classifier(settings.model, threads=settings.threads) if teach else None
    return ServedLibrary(settings.library, teacher=teacher, keep_thumbnails=keep_thumbnails)


def _say_where(address: str) -> None:
    """Tell a person at a terminal the address of the page; a program reads the log."""
    if sys.stderr.isatty():
        typer.echo(f"Open {address} in a browser. Ctrl-C ends this.", err=True)


def _end() -> NoReturn:
    """End the process at once: a thread may still compile, and Python would crash or wait for it."""
    tracing.close()
    logging.shutdown()
    os._exit(0)
