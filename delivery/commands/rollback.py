"""`gif-deliver rollback`: **an alias** -> **the version that was live before**."""

from __future__ import annotations

from typing import Annotated

import typer

from delivery.commands.terminal import AliasName, FunctionName
from services.terminal import Json, report


def rollback(
    function: FunctionName,
    *,
    alias: AliasName = "live",
    to: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The version; by default the one that was live before."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give users the version that they got before, at once; or end a rollout that was cut off.

    Nothing is checked first: going back is for when what is live is worse. The version before is the one that
    was live, not one that failed its check.

    **Examples**

        gif-deliver rollback gif-analyzer-prod

        gif-deliver rollback gif-analyzer-prod --to 12

    **Exit codes**: 0 done, 2 when there is nothing to go back to or AWS refused.
    """
    from delivery.function import Function  # noqa: PLC0415 - half a second, and --help must not wait
    from delivery.rollout import roll_back  # noqa: PLC0415

    target = Function(function, alias=alias)
    done = roll_back(target, to=None if to is None else str(to))
    report(
        as_json,
        {"function": function, "alias": alias, "version": done.version, "left": done.before},
        f"{target.label} is version {done.version}" + (f", no longer {done.before}" if done.before else ""),
    )
