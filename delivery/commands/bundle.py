"""`gif-deliver bundle`: **a model** -> **the zip that AWS Lambda runs, and what takes its room**."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from delivery.bundle.sizes import UNZIPPED_LIMIT, ZIPPED_LIMIT
from delivery.bundle.target import Target
from services.terminal import Json, report


def bundle(
    *,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="ONNX file, instead of the packaged model.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The zip to write.")] = Path("build/lambda.zip"),
    architecture: Annotated[str, typer.Option(metavar="NAME", help="x86_64 or arm64.")] = "x86_64",
    python: Annotated[
        str,
        typer.Option(metavar="VERSION", help="That Lambda runs it with; it must be on this machine too."),
    ] = "3.13",
    as_json: Json = False,
) -> None:
    """Build the zip that AWS Lambda runs: pinned wheels, this project and a model.

    What the function never uses is left out, and the rest compiled for its Python. The same sources give the
    same bytes. It fails when the zip is larger than Lambda takes.

    **Examples**

        gif-deliver bundle

        gif-deliver bundle --model champion.onnx --architecture arm64 --out build/arm64.zip

    **Exit codes**: 0 done, 2 when it could not be built or is too large.
    """
    from delivery.bundle.build import build_bundle  # noqa: PLC0415 - ONNX Runtime, and --help must not wait

    console = Console(stderr=True)
    target = Target(python, architecture)
    with console.status("bundling") as status:
        built = build_bundle(out, model=model, target=target, say=status.update)
    report(
        as_json,
        {
            "path": str(built.path),
            "sha256": built.sha256,
            "python": python,
            "architecture": architecture,
            "model": {"name": built.model.name, "version": built.model.version},
            "zipped_bytes": built.zipped_bytes,
            "zipped_room_bytes": ZIPPED_LIMIT - built.zipped_bytes,
            "unzipped_bytes": built.unzipped_bytes,
            "unzipped_room_bytes": UNZIPPED_LIMIT - built.unzipped_bytes,
            "packages": [dataclasses.asdict(size) for size in built.sizes],
            "pruned": [dataclasses.asdict(pruned) for pruned in built.pruned],
        },
        f"{built.path}: Python {python} on {architecture}, model {built.model.version}, "
        f"SHA-256 {built.sha256[:12]}",
    )
    if as_json:
        return
    tables = Console()
    sizes = Table("package", "version", *_numbers("files", "unzipped", "zipped"))
    for size in built.sizes:
        sizes.add_row(
            size.name, size.version, str(size.files), _mb(size.unzipped_bytes), _mb(size.zipped_bytes)
        )
    files = sum(size.files for size in built.sizes)
    sizes.add_section()
    sizes.add_row("all", "", str(files), _mb(built.unzipped_bytes), _mb(built.zipped_bytes))
    sizes.add_row("Lambda takes", "", "", _mb(UNZIPPED_LIMIT), _mb(ZIPPED_LIMIT))
    room = (UNZIPPED_LIMIT - built.unzipped_bytes, ZIPPED_LIMIT - built.zipped_bytes)
    sizes.add_row("room left", "", "", *map(_mb, room))
    tables.print(sizes)
    left_out = Table("left out, because it is", *_numbers("files", "unzipped"))
    for pruned in built.pruned:
        left_out.add_row(pruned.why, str(pruned.files), _mb(pruned.size_bytes))
    tables.print(left_out)


def _numbers(*headings: str) -> list[Column]:
    return [Column(heading, justify="right") for heading in headings]


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB"
