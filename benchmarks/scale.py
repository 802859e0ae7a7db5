"""What a billion GIFs take: **results.json, cold_start.json** -> core-hours, GB-s, dollars -> **a table**.

Arithmetic on what was measured on one GIF at a time, not a measurement of a billion:
`python -m benchmarks.scale` prints the table that docs/scale.md holds.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Own:
    """Processors of one's own.

    Attributes:
        name: what runs on them.
        ms: milliseconds a GIF, on one core.
        core_hours: a billion GIFs.
    """

    name: str
    ms: float
    core_hours: float


@dataclass(frozen=True)
class Lambda:
    """AWS Lambda, warm.

    Attributes:
        memory_mb: of the function.
        ms: milliseconds a GIF.
        gb_s: GB-seconds of a billion GIFs.
        usd: what they cost, in dollars.
        hours: that they take at `CONCURRENCY`.
    """

    memory_mb: int
    ms: float
    gb_s: float
    usd: float
    hours: float


@dataclass(frozen=True)
class Ways:
    """What a billion GIFs take by each way that was measured."""

    own: list[Own]
    aws_lambda: Lambda


def compute(results: Results, measured: Measurement) -> Ways:
    """Multiply.

    Raises:
        NotResults: the whole line from GIF to show was not measured.
    """
    if "line" not in results.sections:
        raise NotResults("the section line was not measured: make bench does")
    own = [
        Own(figure.name, figure.milliseconds, core_hours(figure.milliseconds))
        for figure in figures.compare(results.sections["line"], GROUP)
        if figure.name.startswith(THIS)
    ]
    warm = plan(measured, CPU_MEMORY_MB, cold_share=0.0)
    return Ways(
        own,
        Lambda(
            CPU_MEMORY_MB,
            warm.warm_ms,
            gb_s=GIFS * warm.gb_s,
            usd=dollars(warm.gb_s),
            hours=GIFS * warm.warm_ms / MS_PER_HOUR / CONCURRENCY,
        ),
    )


def table(ways: Ways) -> str:
    """A row for each way, Markdown."""
    paid = ways.aws_lambda
    lines = ["| way | ms a GIF | a billion GIFs | how long |", "|---|---|---|---|"]
    lines += [
        f"| processors of one's own, {own.name} | {own.ms:.1f} "
        f"| {own.core_hours:,.0f} core-hours | {own.core_hours / 24:,.0f} cores for a day |"
        for own in ways.own
    ]
    lines.append(
        f"| AWS Lambda with {paid.memory_mb} MB | {paid.ms:.1f} | {paid.gb_s:,.0f} GB-s, "
        f"${paid.usd:,.0f} | {paid.hours:,.0f} hours at {CONCURRENCY:,} at once |"
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Print what a billion GIFs take, a table in Markdown.

    **Example**

        python -m benchmarks.scale
    """
    try:
        ways = compute(load(results), Measurement.read(cold_start))
    except (NotResults, InvalidMeasurement) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(CANNOT) from None
    typer.echo(json.dumps(dataclasses.asdict(ways)) if as_json else table(ways))


if __name__ == "__main__":
    typer.run(main)
