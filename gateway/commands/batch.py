"""`gif-analyzer batch`: writes the answers for many GIFs into a file, with progress and a summary."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gateway.answer import tally_text
from gateway.commands.options import EarlyExit, Library, Model, TopK, read_settings
from gateway.commands.terminal import FAILED, INTERRUPTED, complain, printable, usage_errors
from gateway.settings import silence_libraries
from services.names import name_text
from services.terminal import Json
from services.terminal import report as print_report

Input = Annotated[
    str, typer.Argument(metavar="INPUT", help="A folder, a glob, a manifest, or an s3:// or hf:// prefix.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Processes; else one for each processor.")
]
Ray = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Compute on this Ray cluster; `local` starts one here.")
]
S3Endpoint = Annotated[
    str | None, typer.Option(metavar="URL", help="A store that speaks S3, instead of Amazon's.")
]


def batch(
    given: Input,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write: .parquet, .csv or .jsonl.")],
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page of the GIFs, sorted by show, too.")
    ] = None,
    as_json: Json = False,
    top_k: TopK = 5,
    model: Model = None,
    early_exit: EarlyExit = None,
    library: Library = None,
    workers: Workers = None,
    ray: Ray = None,
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Name the shows of many GIFs, and write one row for each into a file.

    A folder is searched whole for .gif files; a glob must be quoted; a manifest is a .csv or .parquet file
    with a column `path` (relative to it) or `url`. What cannot be answered is a row with its reason.

    The end of FILE's name says how it is written: Parquet and .jsonl hold everything, .csv what fits a cell.
    With --report a page shows the GIFs by show with small pictures, the doubtful ones first.

    A run that was interrupted or killed continues when it is started again, and a finished one that wrote
    Parquet adds what is new: files are read again, and only those whose bytes have no answer yet are
    computed.

    **Examples**

        gif-analyzer batch gifs/ --out labels.parquet

        gif-analyzer batch 'gifs/2026-*/*.gif' --out labels.parquet --top-k 1

        gif-analyzer batch gifs/ --out labels.csv --report report.html

        gif-analyzer batch gifs/ --out labels.parquet --library my.library

        gif-analyzer batch addresses.csv --out labels.parquet --json

        gif-analyzer batch s3://bucket/gifs/ --out labels.parquet --ray ray://head:10001

    **Exit codes**: 0 when all inputs were answered, 1 when any failed, 2 when the command could not run
    (usage, a bad setting, a bad model, no such input), 130 when interrupted.

    **Settings** from the environment: those of `identify`, except for services. docs/batch.md lists the
    columns.
    """
    with usage_errors("ray" if ray else "batch"), heed_interrupts() as interrupted:
        settings = read_settings(model, early_exit=early_exit, library=library)
        silence_libraries()
        from gateway.batch.run import run_batch  # noqa: PLC0415 - Daft is an extra

        with show_progress(interrupted) as progress:
            summary = run_batch(
                given,
                out,
                settings,
                top_k=top_k,
                workers=workers,
                ray=ray,
                s3_endpoint=s3_endpoint,
                report=report,
                progress=progress,
            )
    kept = f", {summary.kept:,} of these kept from before" if summary.kept else ""
    lines = [
        f"{name_text(str(out))}: {summary.answered:,} answered, {summary.failed:,} failed{kept}",
        f"  {tally_text(summary.verdicts)}",
        *(f"  {gifs:,} failed: {reason}" for reason, gifs in summary.reasons.items()),
        *([f"{name_text(str(report))}: the same as a page"] if report is not None else []),
    ]
    print_report(
        as_json,
        {
            "out": name_text(str(out)),
            "answered": summary.answered,
            "failed": summary.failed,
            "kept": summary.kept,
            "verdicts": [
                {"level": level, "show": show or None, "gifs": gifs}
                for (level, show), gifs in summary.verdicts.items()
            ],
            "reasons": summary.reasons,
        },
        "\n".join(map(printable, lines)),
    )
    end_batch(interrupted, failed=summary.failed)


def end_batch(interrupted: threading.Event, *, failed: int) -> None:
    """End a command whose sources are all done."""
    if interrupted.is_set():  # all was answered before
        _end(FAILED if failed else 0)
    if failed:
        raise typer.Exit(FAILED)


@contextlib.contextmanager
def show_progress(interrupted: threading.Event) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that shows how many sources are done; end the process when the run is interrupted."""
    from gateway.batch.run import BatchInterrupted  # noqa: PLC0415 - Daft is an extra

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("GIFs", total=None, speed="")

        def show(done: int, total: int | None) -> None:
            if interrupted.is_set():
                raise KeyboardInterrupt
            bar.update(task, completed=done, total=total)
            speed = bar.tasks[task].speed
            bar.update(task, speed=f"{speed:.1f} a second" if speed else "")

        try:
            yield show
        except BatchInterrupted as stopped:
            bar.stop()
            complain(f"interrupted after {stopped.done:,} GIFs; the same command goes on from there")
            _end(INTERRUPTED)


@contextlib.contextmanager
def heed_interrupts() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C sets: Daft loses the exception when it comes at the wrong moment."""
    interrupted = threading.Event()

    def interrupt(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _end(code: int) -> NoReturn:
    """End the process at once: all is on the disk, and Daft may crash at exit after Ctrl-C."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
