"""`gif-deliver smoke`: **an address, or a version** -> three questions -> **how they were answered**."""

from __future__ import annotations

from typing import Annotated

import typer

from delivery.commands.terminal import (
    EXAMPLE,
    Gif,
    Key,
    ModelVersion,
    Show,
    checks_json,
    checks_text,
    expected,
)
from services.names import UNREADABLE, plain_address
from services.terminal import Json, report


def smoke(
    target: Annotated[
        str,
        typer.Argument(
            metavar="URL|FUNCTION:QUALIFIER", help="Address, or a version or alias of a function."
        ),
    ],
    *,
    gif: Gif = EXAMPLE,
    show: Show = None,
    model_version: ModelVersion = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Ask whether it is ready, which show a GIF is from, and what a bad file is.

    **Examples**

        gif-deliver smoke https://abc.lambda-url.eu-central-1.on.aws/ --expect "Big Buck Bunny"

        gif-deliver smoke gif-analyzer-prod:live

    **Exit codes**: 0 when all was answered well, 1 when not, 2 when the command could not run.
    """
    wanted = expected(gif, show, model_version, key)
    from delivery.smoke import smoke_test  # noqa: PLC0415 - half a second, and --help must not wait

    where = target
    if "://" in target or "@" in target:
        from delivery.address import address_asker  # noqa: PLC0415

        ask = address_asker(target)
        where = plain_address(target) or UNREADABLE  # without a password
    else:
        name, _, qualifier = target.partition(":")
        if not name or not qualifier:
            raise typer.BadParameter(
                "give an address, or FUNCTION:VERSION", param_hint="URL|FUNCTION:QUALIFIER"
            )
        from delivery.function import Function  # noqa: PLC0415

        ask = Function(name).asker(qualifier)
    checks = tuple(smoke_test(ask, wanted, where=where))
    report(as_json, {"target": where, "checks": checks_json(checks)}, checks_text(checks))
