"""The commands that make what is delivered, and say what it costs: candidate, bundle, cost."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from delivery.candidate import fetch_candidate
from delivery.commands.outputs import Outputs, write_outputs
from delivery.cost import FREE_GB_S, FREE_REQUESTS, MEMORIES_MB, Measurement, best, plan
from services.terminal import Json, report


def candidate(
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the model file.")],
    outputs: Outputs = None,
    as_json: Json = False,
) -> None:
    """Download the challenger from the registry; without one, the champion.

    MLFLOW_TRACKING_URI and similar variables say where the registry is; see docs/registry.md.

    **Example**

        gif-deliver candidate --out build/candidate.onnx

    **Exit codes**: 0 when there is a model to deliver, 2 when there is none or the registry cannot be
    reached.
    """
    found = fetch_candidate(out)
    write_outputs(outputs, found)
    report(
        as_json,
        {**found, "path": str(out)},
        f"{out}: the {found['alias']}, version {found['version']}, model {found['model_version']}",
    )


def bundle(
    *,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="ONNX file instead of the packaged model."),
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Known clips that the function searches; none by default."),
    ] = None,
    shadow: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A challenger to ask beside the model; docs/registry.md says what it costs."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The zip to write.")] = Path("build/lambda.zip"),
    architecture: Annotated[str, typer.Option(metavar="NAME", help="x86_64 or arm64.")] = "x86_64",
    python: Annotated[
        str,
        typer.Option(
            metavar="VERSION", help="Python that Lambda runs it with; it must be on this machine too."
        ),
    ] = "3.13",
    as_json: Json = False,
) -> None:
    """Build the zip that AWS Lambda runs: pinned wheels, this project, a model and, if given, a library.

    Files that the function never uses are left out, and the sources are compiled. The same sources give the
    same bytes. The command fails if the zip is larger than Lambda accepts.

    **Examples**

        gif-deliver bundle

        gif-deliver bundle --model champion.onnx --architecture arm64 --out build/arm64.zip

        gif-deliver bundle --library my.library

    **Exit codes**: 0 done, 2 when it could not be built or is too large.
    """
    # Loads ONNX Runtime, and --help must not wait.
    from delivery.bundle import UNZIPPED_LIMIT, ZIPPED_LIMIT, Target, build_bundle  # noqa: PLC0415

    console = Console(stderr=True)
    target = Target(python, architecture)
    with console.status("bundling") as status:
        built = build_bundle(
            out, model=model, library=library, shadow=shadow, target=target, say=status.update
        )
    report(
        as_json,
        {
            "path": str(built.path),
            "sha256": built.sha256,
            "python": python,
            "architecture": architecture,
            "model": vars(built.model),
            "library": dataclasses.asdict(built.library) if built.library else None,
            "zipped_bytes": built.zipped_bytes,
            "zipped_room_bytes": ZIPPED_LIMIT - built.zipped_bytes,
            "unzipped_bytes": built.unzipped_bytes,
            "unzipped_room_bytes": UNZIPPED_LIMIT - built.unzipped_bytes,
            "packages": [dataclasses.asdict(size) for size in built.sizes],
            "pruned": [dataclasses.asdict(pruned) for pruned in built.pruned],
        },
        f"{built.path}: Python {python} on {architecture}, model {built.model.version}, "
        f"{f'library of {built.library.clip_count:,} clips, ' if built.library else ''}"
        f"SHA-256 {built.sha256[:12]}",
    )
    if as_json:
        return
    room = (UNZIPPED_LIMIT - built.unzipped_bytes, ZIPPED_LIMIT - built.zipped_bytes)
    files = str(sum(size.files for size in built.sizes))
    sizes = Table("package", "version", *_numbers("files", "unzipped", "zipped"))
    for size in built.sizes:
        sizes.add_row(
            size.name, size.version, str(size.files), _mb(size.unzipped_bytes), _mb(size.zipped_bytes)
        )
    sizes.add_section()
    sizes.add_row("all", "", files, _mb(built.unzipped_bytes), _mb(built.zipped_bytes))
    sizes.add_row("Lambda accepts", "", "", _mb(UNZIPPED_LIMIT), _mb(ZIPPED_LIMIT))
    sizes.add_row("room left", "", "", *map(_mb, room))
    left_out = Table("left out", *_numbers("files", "unzipped"))
    for pruned in built.pruned:
        left_out.add_row(pruned.why, str(pruned.files), _mb(pruned.size_bytes))
    Console().print(sizes, left_out)


def cost(
    *,
    measurement: Annotated[
        Path, typer.Option(metavar="FILE", help="Written by python -m benchmarks cold-start.")
    ] = Path("benchmarks/cold_start.json"),
    cold_share: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Share of requests that start a new instance."),
    ] = 0.05,
    wait_ms: Annotated[
        float, typer.Option(min=0, metavar="MS", help="Time of a request spent waiting, e.g. for an address.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Estimate how many GIFs a month AWS Lambda identifies free of charge, and with which memory size.

    Durations with less than one processor are a model based on a measurement on one core.

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
        f"if {cold_share:.0%} of them start a new instance.\n"
        f"Measured on one core on {measured.made}, median of {measured.rounds} rounds: "
        f"cold {measured.cold_ms:.0f} ms, warm {measured.warm_ms:.0f} ms, "
        f"peak memory {measured.peak_memory_bytes / 2**20:.0f} MB.\n"
        "Durations at other sizes are a model: processor time in proportion to memory, one at 1,769 MB.",
    )
    if as_json:
        return
    table = Table(*_numbers("memory", "cold", "warm", "GB-s", "GIFs a month", "a million GIFs"), "")
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


def _numbers(*headings: str) -> list[Column]:
    return [Column(heading, justify="right") for heading in headings]


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB"
