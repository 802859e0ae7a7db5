"""`gif-train promote`: **a challenger that passed** -> **the champion**."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.registry import open_registry


def promote(
    *,
    force: Annotated[
        str,
        typer.Option(metavar="REASON", help="Promote although it has not passed; the reason is noted."),
    ] = "",
    version: Annotated[
        str,
        typer.Option(metavar="N", help="Refuse if the challenger is another version than this one."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Make the challenger champion; the champion until now becomes `previous`.

    Refused unless gif-train compare let this version pass beside this very champion.

    **Examples**

        gif-train promote

        gif-train promote --version 7

        gif-train promote --force "the champion answers with an error since noon"
    """
    from training.registry.promotion import promote as promote_challenger  # noqa: PLC0415 - see register

    move = promote_challenger(open_registry(), version=version, force=force)
    after = f"after version {move.before}" if move.before else "the first"
    forced = f"; forced: {move.reason}" if move.reason else ""
    report(as_json, dataclasses.asdict(move), f"version {move.champion} is champion, {after}{forced}")
