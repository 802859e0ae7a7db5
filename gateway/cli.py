"""The command line: **files and addresses** -> pipeline -> **a table for people, JSON lines for programs**.

Exit codes: 0 all was read, 1 some input failed, 2 usage, setting or model, 130 interrupted.
"""

from __future__ import annotations

import functools
import importlib.metadata
import io
import json
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from gateway.answer import error_json, prediction_json
from gateway.commands.batch import batch
from gateway.commands.options import (
    AllowHost,
    EarlyExit,
    Inference,
    Model,
    Preprocess,
    TopK,
    allow_hosts,
    check_services,
    is_meant_as_address,
    open_pipeline,
    read_settings,
)
from gateway.commands.serve import serve
from gateway.commands.table import prediction_lines
from gateway.commands.terminal import FAILED, complain, usage_errors
from gateway.fetch.settings import FetchSettings
from gateway.files import STDIN, read_gif
from services.errors import AnalyzerError
from services.inference import Prediction
from services.memory import keep_freed_memory

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gif-analyzer {importlib.metadata.version('gif-analyzer')}")
        raise typer.Exit


@app.callback()
def gif_analyzer(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Tell which TV show an animated GIF came from."""


@app.command()
def identify(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="FILE|URL", help="GIF files or their addresses; `-` is standard input."),
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on a line for each input.")
    ] = False,
    top_k: TopK = 5,
    model: Model = None,
    preprocess: Preprocess = None,
    inference: Inference = None,
    early_exit: EarlyExit = None,
    allow_host: AllowHost = None,
) -> None:
    """Name the show of each GIF, with probabilities and the frames that say so.

    Where the model is not sure of one show it names two or three, or the kind of picture, or says *unknown*;
    the nearest guesses follow.
    An input that cannot be read is reported, and the others are answered all the same.
    With --early-exit a GIF whose first frames leave little doubt is answered by these alone (docs/effort.md).

    **Examples**

        gif-analyzer identify meadow.gif

        gif-analyzer identify --top-k 1 --json *.gif

        gif-analyzer identify --early-exit *.gif

        curl -s https://example.org/some.gif | gif-analyzer identify -

        gif-analyzer identify giphy.com/gifs/cat-yAqdjThdDEMF2 https://example.org/cat.gif

        gif-analyzer identify --preprocess localhost:50051 --inference localhost:50051 meadow.gif

    **Exit codes**: 0 when all inputs were answered, 1 when any failed, 2 when the command could not run
    (usage, a bad setting, a bad model), 130 when interrupted.

    **Settings** from the environment: GIF_ANALYZER_MODEL, GIF_ANALYZER_THREADS,
    GIF_ANALYZER_EARLY_EXIT, and the limits GIF_ANALYZER_MAX_BYTES, GIF_ANALYZER_MAX_CANVAS_PIXELS,
    GIF_ANALYZER_MAX_FRAMES and GIF_ANALYZER_MAX_DECODED_PIXELS. For services: GIF_ANALYZER_TIMEOUT_S,
    GIF_ANALYZER_ATTEMPTS, GIF_ANALYZER_KEEPALIVE_S, and for TLS GIF_ANALYZER_TLS, GIF_ANALYZER_SERVER_CA,
    GIF_ANALYZER_CLIENT_CERTIFICATE and GIF_ANALYZER_CLIENT_KEY. For addresses: GIF_ANALYZER_FETCH_HOSTS,
    GIF_ANALYZER_FETCH_TIMEOUT_S and GIF_ANALYZER_FETCH_CONNECT_S.
    """
    if sources.count(STDIN) > 1:
        raise typer.BadParameter("standard input (-) can be read only once", param_hint="FILE")
    check_services(preprocess, inference, model, early_exit=early_exit)
    with usage_errors():
        settings = read_settings(model, early_exit=early_exit)
        pipeline = open_pipeline(settings, preprocess, inference, gifs=len(sources))
        read = _reader(sources, settings.budget.max_bytes, allow_hosts(settings.fetch, allow_host))
    report = _report_json if as_json else _report_table
    exact = early_exit is False
    answered = [
        report(source, lambda source: pipeline.identify(read(source), top_k, exact=exact))
        for source in sources
    ]
    if not all(answered):
        raise typer.Exit(FAILED)


app.add_typer(serve, name="serve")
app.command()(batch)


def _reader(sources: list[str], max_bytes: int, settings: FetchSettings) -> Callable[[str], bytes]:
    """Make the function that gets the bytes of each source; the HTTP client is imported if one needs it."""
    read_file = functools.partial(read_gif, max_bytes=max_bytes)
    if not any(map(is_meant_as_address, sources)):
        return read_file
    import asyncio  # noqa: PLC0415 - it takes its time too

    from gateway.fetch.fetcher import Fetcher  # noqa: PLC0415 - the HTTP client is an extra

    fetch = Fetcher(settings)
    return lambda source: asyncio.run(fetch(source)) if is_meant_as_address(source) else read_file(source)


def _report_json(source: str, answer: Callable[[str], Prediction]) -> bool:
    """Print one line for one input; return whether it was answered."""
    try:
        prediction = answer(source)
    except AnalyzerError as error:
        typer.echo(json.dumps(error_json(source, error)))
        return False
    typer.echo(json.dumps(prediction_json(source, prediction), allow_nan=False))
    return True


def _report_table(source: str, answer: Callable[[str], Prediction]) -> bool:
    """Print some lines for one input, on standard error if it failed; return whether it was answered."""
    name = "standard input" if source == STDIN else source or "''"
    try:
        prediction = answer(source)
    except AnalyzerError as error:
        complain(f"{name}: {error.message}")
        return False
    console = Console(highlight=False)
    for line in prediction_lines(name, prediction, ascii_only=console.options.ascii_only):
        console.print(line, soft_wrap=True)  # a long name stays on its line: it may be copied
    return True


def main() -> None:
    """Run the command line."""
    keep_freed_memory()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's encoding cannot write is escaped, not a traceback.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="gif-analyzer")
    except OSError as error:  # of the output: an input that cannot be read is answered above
        complain(f"cannot write the answer: {(error.strerror or str(error)).lower()}")
        # Python flushes once more when it ends; what is still held back would fail again, with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(FAILED)
