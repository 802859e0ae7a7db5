"""`gif-analyzer batch`: **options and settings** -> a Parquet file, progress on standard error, a summary."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from gateway.commands.options import EarlyExit, Model, TopK, read_settings
from gateway.commands.terminal import FAILED, usage_errors
from gateway.settings import silence_libraries


def batch(
    given: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="A folder, a glob, a manifest, or an s3:// or hf:// prefix."),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The Parquet file to write.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as a JSON object.")] = False,
    top_k: TopK = 5,
    model: Model = None,
    early_exit: EarlyExit = None,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; else one for each processor.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Compute on this Ray cluster; `local` starts one here."),
    ] = None,
    s3_endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="A store that speaks S3, instead of Amazon's.")
    ] = None,
) -> None:
    """Name the shows of many GIFs, and write one row for each into a Parquet file.

    A folder is searched whole for .gif files; a glob must be quoted; a manifest is a .csv or .parquet file
    with a column `path` (relative to it) or `url`. What cannot be answered is a row with its reason.

    A run that was interrupted or killed goes on when it is started again, and a finished one takes in what
    is new: files are read again, and only those whose bytes have no answer yet are computed.

    **Examples**

        gif-analyzer batch gifs/ --out labels.parquet

        gif-analyzer batch 'gifs/2026-*/*.gif' --out labels.parquet --top-k 1

        gif-analyzer batch addresses.csv --out labels.parquet --json

        gif-analyzer batch s3://bucket/gifs/ --out labels.parquet --ray ray://head:10001

    **Exit codes**: 0 when all inputs were answered, 1 when any failed, 2 when the command could not run
    (usage, a bad setting, a bad model, no such input), 130 when interrupted.

    **Settings** from the environment: those of `identify`, but for services. docs/batch.md tells the columns.
    """
    with usage_errors():
        settings = read_settings(model, early_exit=early_exit)
        silence_libraries()
        from gateway.batch.run import BatchOptions, run_batch  # noqa: PLC0415 - Daft is an extra

        options = BatchOptions(given, out, top_k=top_k, workers=workers, ray=ray, s3_endpoint=s3_endpoint)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("GIFs", total=None, speed="")

            def advance(sources: int) -> None:
                bar.advance(task, sources)
                speed = bar.tasks[task].speed
                bar.update(task, speed=f"{speed:.1f} a second" if speed else "")

            summary = run_batch(options, settings, advance)
    if as_json:
        typer.echo(json.dumps({"out": str(out), **dataclasses.asdict(summary)}))
    else:
        typer.echo(
            f"{out}: {summary.answered:,} answered, {summary.failed:,} failed,"
            f" {summary.kept:,} of them kept from before"
        )
    if summary.failed:
        raise typer.Exit(FAILED)
