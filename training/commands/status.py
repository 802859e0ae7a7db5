"""`gif-train status`: **the registry** -> **versions, what they are for, how they were judged**."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from services.terminal import Json, report
from training.commands.registry import open_registry
from training.statistics.report import MISSING, Column, Table

if TYPE_CHECKING:
    from training.registry.promotion import Record
    from training.registry.versions import Version

PIPED = 160  # characters in a line where no terminal says how wide it is


def status(*, as_json: Json = False) -> None:
    """List the versions of the model, newest first.

    **Example**

        gif-train status
    """
    from training.registry.promotion import Record  # noqa: PLC0415 - see register
    from training.registry.versions import MODEL  # noqa: PLC0415

    registry = open_registry()
    judged = [(version, Record.of(version)) for version in registry.versions()]
    if as_json:
        values = {
            "model": MODEL,
            "address": registry.address,
            "aliases": registry.aliases(),
            "versions": [_plain(version, record) for version, record in judged],
        }
        report(as_json, values, "")
    elif not judged:
        typer.echo(f"{MODEL}: nothing is registered at {registry.address}")
    else:
        columns = [Column(text, numeric=False) for text in ("version", "is", "model", "registered, UTC")]
        columns += [Column("MB"), Column("top-1"), Column("verdict", numeric=False)]
        rows = tuple(_row(version, record) for version, record in judged)
        table = Table(f"{MODEL} at {registry.address}", tuple(columns), rows)
        Console(width=None if sys.stdout.isatty() else PIPED).print(table.rich())


def _plain(version: Version, record: Record | None) -> dict[str, object]:
    return {
        "version": version.number,
        "aliases": list(version.aliases),
        "registered": version.created.isoformat(),
        "run_id": version.run_id,
        "tags": {name: value for name, value in version.tags.items() if name != "verdict_record"},
        "verdict": dataclasses.asdict(record) if record else None,
    }


def _row(version: Version, record: Record | None) -> tuple[str, ...]:
    size = version.tags.get("size_bytes", "")
    return (
        version.number,
        ", ".join(version.aliases),
        version.tags.get("model_version", MISSING),
        f"{version.created:%Y-%m-%d %H:%M}",
        f"{int(size) / 1e6:.1f}" if size.isdecimal() else MISSING,
        version.tags.get("evaluation_top_1", MISSING),
        _verdict(version, record),
    )


def _verdict(version: Version, record: Record | None) -> str:
    said = []
    if record is not None:
        beside = f" beside {record.champion} {record.change}" if record.champion else " without a champion"
        said.append(("passed" if record.passed else f"failed ({', '.join(record.failed)})") + beside)
    if "forced" in version.tags:
        said.append(f"forced: {version.tags['forced']}")
    if "rolled_back" in version.tags:
        said.append(f"rolled back: {version.tags.get('rolled_back_because', '')}")
    return "; ".join(said) or "not compared"
