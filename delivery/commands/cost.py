"""`gif-deliver cost`: **what was measured** -> **GIFs a month for nothing, and the best memory size**."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from delivery.cost import FREE_GB_S, FREE_REQUESTS, MEMORIES_MB, Measurement, best, plan
from services.terminal import Json, report


def cost(
    *,
    measurement: Annotated[
        Path, typer.Option(metavar="FILE", help="Written by python -m benchmarks cold-start.")
    ] = Path("benchmarks/cold_start.json"),
    cold_share: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Of requests that meet a new instance.")
    ] = 0.05,
    wait_ms: Annotated[
        float, typer.Option(min=0, metavar="MS", help="Of a request spent waiting, e.g. for an address.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Say how many GIFs a month AWS Lambda answers for nothing, and with which memory size.

    Durations below one processor are modelled from what was measured on one core.

    **Examples**

        gif-deliver cost

        gif-deliver cost --cold-share 0.5 --wait-ms 300

    **Exit codes**: 0 done, 2 when there is no measurement.
    """
    measured = Measurement.read(measurement)
    plans = [plan(measured, memory, cold_share=cold_share, wait_ms=wait_ms) for memory in MEMORIES_MB]
    chosen = best(plans)
    report(
        as_json,
        {
            "measured": dataclasses.asdict(measured),
            "cold_share": cold_share,
            "wait_ms": wait_ms,
            "free_gb_s": FREE_GB_S,
            "free_requests": FREE_REQUESTS,
            "best_memory_mb": chosen.memory_mb,
            "gifs_a_month": chosen.gifs,
            "plans": [dataclasses.asdict(each) for each in plans],
        },
        f"{chosen.gifs:,} GIFs a month for nothing with {chosen.memory_mb} MB, "
        f"when {cold_share:.0%} of them meet a new instance.\n"
        f"Measured on one core on {measured.made}, median of {measured.rounds} rounds: "
        f"cold {measured.cold_ms:.0f} ms, warm {measured.warm_ms:.0f} ms, "
        f"peak memory {measured.peak_memory_bytes / 2**20:.0f} MB.\n"
        "Durations at other sizes are a model: processor time in proportion to memory, one at 1,769 MB.",
    )
    if as_json:
        return
    table = Table(
        *(Column(heading, justify="right") for heading in ("memory", "cold", "warm", "GB-s", "GIFs a month")),
        Column("a million GIFs", justify="right"),
        "",
    )
    for each in plans:
        table.add_row(
            f"{each.memory_mb} MB",
            f"{each.cold_ms:,.0f} ms",
            f"{each.warm_ms:,.0f} ms",
            f"{each.gb_s:.3f}",
            f"{each.gifs:,}",
            f"${each.million_usd:.2f}",
            "best" if each is chosen else "" if each.enough else "too small",
        )
    Console().print(table)
