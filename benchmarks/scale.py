"""What a billion GIFs take: **results.json, cold_start.json** -> core-hours, GB-s, dollars -> **a table**.

Arithmetic on what was measured on one GIF at a time, not a measurement of a billion:
`python -m benchmarks.scale` prints the table that docs/scale.md holds.
"""

from __future__ import annotations

from pathlib import Path

import typer

from benchmarks import figures
from benchmarks.environments import ROOT
from benchmarks.results import THIS, Results, load
from delivery.cost import CPU_MEMORY_MB, USD_PER_GB_S, Measurement, plan

GIFS = 1_000_000_000
MS_PER_HOUR = 3_600_000
CONCURRENCY = 1000  # of an AWS account in one region, unless it asks for more
USD_PER_REQUEST = 0.20 / 1_000_000  # list price of x86_64
GROUP = "real GIFs"
RESULTS = ROOT / "benchmarks/results.json"
COLD_START = ROOT / "benchmarks/cold_start.json"


def table(results: Results, measured: Measurement) -> str:
    """The table, Markdown: a row for each form of this project that was measured, and one for Lambda."""
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


def main(results: Path = RESULTS, cold_start: Path = COLD_START) -> None:
    """Print the table."""
    typer.echo(table(load(results), Measurement.read(cold_start)))


if __name__ == "__main__":
    main()
