"""Computes what identifying a billion GIFs takes, from benchmarks/results.json and cold_start.json.

These are times of one GIF, multiplied; no billion was measured. The printed table is that of docs/scale.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import ROOT
from benchmarks.bench.results import REAL, THIS, NotResults, Results, compare, load
from benchmarks.harness.timing import table
from delivery.cost import CPU_MEMORY_MB, USD_PER_GB_S, USD_PER_REQUEST, Measurement, plan
from delivery.errors import InvalidMeasurement

GIFS = 1_000_000_000
MS_PER_HOUR = 3_600_000
CONCURRENCY = 1000  # default limit of an AWS account in one region
RESULTS = ROOT / "benchmarks/results.json"
COLD_START = ROOT / "benchmarks/cold_start.json"


def own_milliseconds(results: Results) -> dict[str, float]:
    """Return the milliseconds that a GIF takes on one processor, for each form of this project.

    Raises:
        NotResults: the section `line`, from GIF file to show, was not measured.
    """
    if "line" not in results.sections:
        raise NotResults("the section line was not measured: make bench does")
    figures = compare(results.sections["line"], REAL)
    return {figure.name: figure.milliseconds for figure in figures if figure.name.startswith(THIS)}


def core_hours(milliseconds: float) -> float:
    """Return the core-hours for all GIFs, if one takes so long on one core."""
    return GIFS * milliseconds / MS_PER_HOUR


def dollars(gb_s: float) -> float:
    """Return the list price for all GIFs, if one takes so many GB-seconds; the free tier is negligible."""
    return GIFS * (gb_s * USD_PER_GB_S + USD_PER_REQUEST)


def page_table(results: Results, measured: Measurement) -> str:
    """Return the table of docs/scale.md.

    Raises:
        NotResults: the section `line` was not measured.
    """
    rows = [
        (
            f"processors of one's own, {name}",
            f"{milliseconds:.1f}",
            f"{core_hours(milliseconds):,.0f} core-hours",
            f"{core_hours(milliseconds) / 24:,.0f} cores for a day",
        )
        for name, milliseconds in own_milliseconds(results).items()
    ]
    warm = plan(measured, CPU_MEMORY_MB, cold_share=0.0)  # with the memory that brings one whole processor
    rows.append(
        (
            f"AWS Lambda with {CPU_MEMORY_MB} MB",
            f"{warm.warm_ms:.1f}",
            f"{GIFS * warm.gb_s:,.0f} GB-s, ${dollars(warm.gb_s):,.0f}",
            f"{core_hours(warm.warm_ms) / CONCURRENCY:,.0f} hours at {CONCURRENCY:,} at once",
        )
    )
    return table(("way", "ms a GIF", "a billion GIFs", "how long"), rows)


def scale(
    results: Annotated[Path, typer.Option(metavar="FILE", help="Written by make bench.")] = RESULTS,
) -> None:
    """Print what a billion GIFs take, as a table in Markdown."""
    try:
        typer.echo(page_table(load(results), Measurement.read(COLD_START)))
    except (NotResults, InvalidMeasurement) as error:
        raise typer.BadParameter(str(error)) from None
