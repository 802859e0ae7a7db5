"""`gif-train rollback`: **the version before** -> **champion again**."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.registry import open_registry


def rollback(
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; noted with the version.")] = "",
    as_json: Json = False,
) -> None:
    """Make `previous` champion again, and mark the champion until now as `rolled_back`.

    **Example**

        gif-train rollback --reason "takes every cartoon for The Simpsons"
    """
    from training.registry.promotion import rollback as roll_back  # noqa: PLC0415 - see register

    move = roll_back(open_registry(), reason=reason)
    report(
        as_json,
        dataclasses.asdict(move),
        f"version {move.champion} is champion again, version {move.before} is rolled back",
    )
