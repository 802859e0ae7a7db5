"""`gif-deliver rollout`: **a published version, or a zip** -> checked -> **what users get**."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delivery.commands.terminal import (
    EXAMPLE,
    AliasName,
    FunctionName,
    Gif,
    Key,
    ModelVersion,
    Show,
    checks_json,
    checks_text,
    expected,
    say,
)
from services.terminal import Json, report


def rollout(
    function: FunctionName,
    *,
    alias: AliasName = "live",
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The published version; by default the newest.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Publish this zip first, past Terraform.")
    ] = None,
    share: Annotated[
        list[float] | None,
        typer.Option(metavar="S", help="A share of the requests, above 0 and below 1, to give it first."),
    ] = None,
    pause_s: Annotated[
        float, typer.Option("--pause", min=0, metavar="SECONDS", help="To wait after each move.")
    ] = 0,
    alarm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An alarm that must stay quiet.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The address, to check it too after the move.")
    ] = None,
    gif: Gif = EXAMPLE,
    show: Show = None,
    model_version: ModelVersion = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Give users a version of the function, if it answers well; otherwise leave them the one they have.

    The version is called by its own number before the alias moves. When the check after the move fails, when
    an alarm goes on, or when you press Ctrl-C, the alias moves back.

    **Examples**

        gif-deliver rollout gif-analyzer-stage

        gif-deliver rollout gif-analyzer-prod --share 0.1 --share 0.5 --pause 60

    **Exit codes**: 0 when users get the version, 1 when it failed a check and they get the one before, 2 when
    the command could not run, 3 when the alias could not be moved back, 130 when interrupted.
    """
    if version is not None and bundle is not None:
        raise typer.BadParameter("give a version or a zip", param_hint="--version, --bundle")
    shares = share or []
    if not all(0 < part < 1 for part in shares) or shares != sorted(set(shares)):
        raise typer.BadParameter("shares grow, each above 0 and below 1", param_hint="--share")
    wanted = expected(gif, show, model_version, key)
    from delivery.address import address_asker  # noqa: PLC0415 - half a second, and --help must not wait
    from delivery.alarms import Alarms  # noqa: PLC0415
    from delivery.errors import UnknownFunction  # noqa: PLC0415
    from delivery.function import Function  # noqa: PLC0415
    from delivery.rollout import Plan, roll_out  # noqa: PLC0415

    target = Function(function, alias=alias)
    if bundle is not None:
        say(f"publishing {bundle}")
        chosen = target.publish(bundle)
    elif version is not None:
        chosen = str(version)
    else:
        published = target.versions()
        if not published:
            raise UnknownFunction(f"published version of {function}")
        chosen = published[-1]["version"]
    done = roll_out(
        target,
        chosen,
        wanted,
        plan=Plan(shares, pause_s, None if url is None else address_asker(url)),
        alarms=Alarms(alarm or []),
        say=say,
    )
    report(
        as_json,
        {
            "function": function,
            "alias": alias,
            "version": done.version,
            "before": done.before,
            "moved": done.moved,
            "checks": checks_json(done.checks),
        },
        f"{checks_text(done.checks)}\n{target.label} is version {done.version}"
        + (f"; before it was {done.before}" if done.before else ""),
    )
