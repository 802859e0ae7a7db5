"""`gif-analyzer mcp`: tools for agents."""

from __future__ import annotations

import importlib.metadata
import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.options import Library, Model, open_pipeline, read_settings
from gateway.commands.terminal import usage_errors
from services.extras import NAME

Files = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        exists=True,
        file_okay=False,
        help="Let agents name files below this folder; without it they can name none.",
    ),
]


def mcp(*, files: Files = None, model: Model = None, library: Library = None) -> None:
    """Serve tools for agents by the Model Context Protocol, on standard input and output.

    A client such as an editor or a chat program starts this command; docs/mcp.md has its configuration.
    The tools are *identify*, *shows* and, with a library, *matches*. Addresses are fetched by the rules of
    `serve rest`. The log is JSON on standard error.

    **Examples**

        gif-analyzer mcp

        gif-analyzer mcp --files ~/gifs --library my.library

    **Exit codes**: 0 when the client has ended it, 2 when it could not start.

    **Settings** from the environment: those of `identify`, and GIF_ANALYZER_WORKERS, GIF_ANALYZER_IN_FLIGHT
    and GIF_ANALYZER_FETCHES.
    """
    with usage_errors("mcp"):
        settings = read_settings(model, library=library)
        from gateway.mcp_server import build_server  # noqa: PLC0415 - an extra
        from services.process import log_as_json  # noqa: PLC0415

        log_as_json()
        logging.getLogger("mcp").setLevel(logging.WARNING)  # each call is logged already
        pipeline = open_pipeline(settings, None, None)
        version = importlib.metadata.version(NAME)
        build_server(pipeline, settings, folder=files, version=version).run("stdio")
    logging.shutdown()
    os._exit(0)  # a thread may still compile, and Python would crash or wait for it
