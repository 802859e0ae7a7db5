"""What a billion GIFs take: **results.json, cold_start.json** -> core-hours, GB-s, dollars -> **a table**.

Arithmetic on what was measured on one GIF at a time, not a measurement of a billion:
`python -m benchmarks.scale` prints the table that docs/scale.md holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import figures
from benchmarks.environments import ROOT
from benchmarks.results import THIS, NotResults, Results, load
from delivery.cost import CPU_MEMORY_MB, USD_PER_GB_S, USD_PER_REQUEST, Measurement, plan
from delivery.errors import InvalidMeasurement

GIFS = 1_000_000_000
MS_PER_HOUR = 3_600_000
CONCURRENCY = 1000  # of an AWS account in one region, unless it asks for more
GROUP = "real GIFs"
RESULTS = ROOT / "benchmarks/results.json"
COLD_START = ROOT / "benchmarks/cold_start.json"
CANNOT = 2


def table(results: Results, measured: Measurement) -> str:
    """The table, Markdown: a row for each form of this project that was measured, and one for Lambda.

    Raises:
        NotResults: the whole line from GIF to show was not measured.
    """
    if "line" not in results.sections:
        raise NotResults("the section line was not measured: make bench does")
    lines = [
        "| way | ms a GIF | a billion GIFs | how long |",
        "|---|---|---|---|",
    ]
    for figure in figures.compare(results.sections["line"], GROUP):
        if figure.name.startswith(THIS):
            hours = core_hours(figure.milliseconds)
            lines.append(
                f"| processors of one's own, {figure.name} | {figure.milliseconds:.1f} "
                f"| {hours:,.0f} core-hours | {hours / 24:,.0f} cores for a day |"
            )
    warm = plan(measured, CPU_MEMORY_MB, cold_share=0.0)
    lines.append(
        f"| AWS Lambda with {CPU_MEMORY_MB} MB | {warm.warm_ms:.1f} | {GIFS * warm.gb_s:,.0f} GB-s, "
        f"${dollars(warm.gb_s):,.0f} | {GIFS * warm.warm_ms / MS_PER_HOUR / CONCURRENCY:,.0f} hours at "
        f"{CONCURRENCY:,} at once |"
    )
    return "\n".join(lines)


def core_hours(milliseconds: float) -> float:
    """Of one core that takes so long for a GIF, for all of them."""
    return GIFS * milliseconds / MS_PER_HOUR


def dollars(gb_s: float) -> float:
    """List price of all requests, GB-seconds each; what is free a month is a rounding error beside it."""
    return GIFS * (gb_s * USD_PER_GB_S + USD_PER_REQUEST)


def main(
    results: Annotated[Path, typer.Option(metavar="FILE", help="What make bench wrote.")] = RESULTS,
    cold_start: Annotated[
        Path, typer.Option(metavar="FILE", help="What python -m benchmarks.cold_start wrote.")
    ] = COLD_START,
) -> None:
    """Print what a billion GIFs take, a table in Markdown.

    **Example**

        python -m benchmarks.scale
    """
    try:
        typer.echo(table(load(results), Measurement.read(cold_start)))
    except (NotResults, InvalidMeasurement) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(CANNOT) from None


if __name__ == "__main__":
    typer.run(main)
