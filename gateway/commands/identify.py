"""`gif-analyzer identify`: names the shows of files, folders, globs and addresses."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import typer
from rich.console import Console

from gateway.answer import (
    CSV_COLUMNS,
    csv_cells,
    error_json,
    outcome_row,
    prediction_json,
    tally_key,
    tally_text,
)
from gateway.commands.options import (
    AllowHost,
    EarlyExit,
    Inference,
    Library,
    Model,
    Preprocess,
    allow_hosts,
    check_services,
    is_meant_as_address,
    open_pipeline,
    read_settings,
)
from gateway.commands.terminal import (
    FAILED,
    complain,
    prediction_line,
    prediction_lines,
    printable,
    usage_errors,
)
from gateway.fetch.address import FetchSettings
from gateway.files import STDIN, find_gifs, read_gif
from services.errors import AnalyzerError
from services.inference import Prediction
from services.names import name_text

TOP_K = 5  # shows that are named unless --top-k is given

Outcome = Prediction | AnalyzerError


def identify(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|URL", help="GIF files, folders, globs or addresses; `-` is standard input."
        ),
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on a line for each input.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets.")] = False,
    frames: Annotated[
        bool | None,
        typer.Option(help="Show the ranking and what the frames say; without either, if one GIF is given."),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=1, metavar="K", show_default=f"{TOP_K}", help="How many shows to name.")
    ] = None,
    model: Model = None,
    preprocess: Preprocess = None,
    inference: Inference = None,
    early_exit: EarlyExit = None,
    allow_host: AllowHost = None,
    library: Library = None,
) -> None:
    """Name the show of each GIF, with probabilities and the frames that say so.

    The word *identify* may be left out. One GIF is answered in full, several with a line each and a summary.
    Where the model is not sure of one show it names two or three, or the kind of picture, or says *unknown*
    and the nearest guess. Where it names no show, the shows are ranked only with --top-k.
    An input that cannot be read is reported, and the others are answered all the same.
    With --early-exit a GIF whose first frames leave little doubt is answered by these alone (docs/effort.md).

    **Examples**

        gif-analyzer meadow.gif

        gif-analyzer gifs/ 'more/**/*.gif'

        gif-analyzer identify --top-k 1 --json *.gif

        gif-analyzer identify --csv gifs/ > shows.csv

        gif-analyzer identify --early-exit *.gif

        curl -s https://example.org/some.gif | gif-analyzer identify -

        gif-analyzer identify giphy.com/gifs/cat-yAqdjThdDEMF2 https://example.org/cat.gif

        gif-analyzer identify --library my.library some.gif

        gif-analyzer identify --preprocess localhost:50051 --inference localhost:50051 meadow.gif

    **Exit codes**: 0 when all inputs were answered, 1 when any failed, 2 when the command could not run
    (usage, a bad setting, a bad model), 130 when interrupted.

    **Settings** from the environment: GIF_ANALYZER_MODEL, GIF_ANALYZER_LIBRARY,
    GIF_ANALYZER_THREADS, GIF_ANALYZER_EARLY_EXIT,
    and the limits GIF_ANALYZER_MAX_BYTES, GIF_ANALYZER_MAX_CANVAS_PIXELS, GIF_ANALYZER_MAX_FRAMES
    and GIF_ANALYZER_MAX_DECODED_PIXELS. For services: GIF_ANALYZER_TIMEOUT_S,
    GIF_ANALYZER_ATTEMPTS, GIF_ANALYZER_KEEPALIVE_S, and for TLS GIF_ANALYZER_TLS, GIF_ANALYZER_SERVER_CA,
    GIF_ANALYZER_CLIENT_CERTIFICATE and GIF_ANALYZER_CLIENT_KEY. For addresses: GIF_ANALYZER_FETCH_HOSTS,
    GIF_ANALYZER_FETCH_TIMEOUT_S and GIF_ANALYZER_FETCH_CONNECT_S.
    """
    if sources.count(STDIN) > 1:
        raise typer.BadParameter("standard input (-) can be read only once", param_hint="FILE")
    if as_json and as_csv:
        raise typer.BadParameter("give one of the two", param_hint="--json, --csv")
    check_services(preprocess, inference, model, early_exit=early_exit, library=library)
    given = list(_find(sources))
    with usage_errors("rest" if preprocess is None else "grpc"):
        settings = read_settings(model, early_exit=early_exit, library=library)
        pipeline = open_pipeline(settings, preprocess, inference, gifs=len(given))
        hosts = allow_hosts(settings.fetch, allow_host)
        read = _reader((source for source, _ in given), settings.budget.max_bytes, hosts)
    identify_one = functools.partial(pipeline.identify, top_k=top_k or TOP_K, exact=early_exit is False)
    outcomes = (_answer(source, problem, read, identify_one) for source, problem in given)
    if as_json:
        failed = _report_json(outcomes, frames=frames is not False)
    elif as_csv:
        failed = _report_csv(outcomes)
    else:
        several = len(given) > 1 and not frames
        failed = _report_text(
            outcomes, several=several, frames=frames is not False, always_ranked=top_k is not None
        )
    if failed:
        raise typer.Exit(FAILED)


def _find(sources: Iterable[str]) -> Iterator[tuple[str, AnalyzerError | None]]:
    """Yield every GIF, and each folder or glob that has none with its error."""
    for source in sources:
        try:
            yield from ((name, None) for name in find_gifs(source))
        except AnalyzerError as error:
            yield source, error


def _reader(sources: Iterable[str], max_bytes: int, hosts: FetchSettings) -> Callable[[str], bytes]:
    """Return a function that reads or fetches a source. The HTTP client is imported only if it is needed."""
    read_file = functools.partial(read_gif, max_bytes=max_bytes)
    if not any(map(is_meant_as_address, sources)):
        return read_file
    import asyncio  # noqa: PLC0415 - it takes time to import

    from gateway.fetch.fetcher import Fetcher  # noqa: PLC0415 - the HTTP client is an extra

    fetch = Fetcher(hosts)
    return lambda source: asyncio.run(fetch(source)) if is_meant_as_address(source) else read_file(source)


def _answer(
    source: str,
    problem: AnalyzerError | None,
    read: Callable[[str], bytes],
    identify_one: Callable[[bytes], Prediction],
) -> tuple[str, str | None, Outcome]:
    """Return the source, the digest of its bytes if they could be read, and the answer or the error."""
    sha256 = None
    try:
        if problem is not None:
            raise problem
        gif = read(source)
        sha256 = hashlib.sha256(gif).hexdigest()
        return source, sha256, identify_one(gif)
    except AnalyzerError as error:
        return source, sha256, error


# Each of these prints an outcome as soon as it is there, and returns how many inputs have failed.
Outcomes = Iterable[tuple[str, str | None, Outcome]]


def _report_json(outcomes: Outcomes, *, frames: bool) -> int:
    failed = 0
    for source, _, outcome in outcomes:
        if isinstance(outcome, AnalyzerError):
            failed += 1
            said = error_json(source, outcome)
        else:
            said = prediction_json(source, outcome)
            if not frames:
                del said["votes"]
        typer.echo(json.dumps(said, allow_nan=False))
    return failed


def _report_csv(outcomes: Outcomes) -> int:
    failed = 0
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow(CSV_COLUMNS)
    for source, sha256, outcome in outcomes:
        failed += isinstance(outcome, AnalyzerError)
        lines.writerow(csv_cells(outcome_row(name_text(source), sha256, outcome)))
        sys.stdout.flush()
    return failed


def _report_text(outcomes: Outcomes, *, several: bool, frames: bool, always_ranked: bool) -> int:
    """Print each answer in full, or a line for each of several and a summary; errors on standard error."""
    console = Console(highlight=False)
    tally, failed = Counter[tuple[str, str]](), 0
    for source, _, outcome in outcomes:
        name = "standard input" if source == STDIN else name_text(source) or "''"
        if isinstance(outcome, AnalyzerError):
            failed += 1
            complain(f"{name}: {outcome.message}")
            continue
        tally[tally_key(outcome.verdict)] += 1
        lines = prediction_lines(
            name, outcome, frames=frames, always_ranked=always_ranked, ascii_only=console.options.ascii_only
        )
        for line in [prediction_line(name, outcome)] if several else lines:
            console.print(line, soft_wrap=True)  # a long name stays on one line, so that it can be copied
    if several:
        summary = printable(tally_text(tally, unreadable=failed))
        console.print(summary, style="bold", markup=False, soft_wrap=True)
    return failed
