"""The commands that change or check what users get: rollout, rollback, smoke, status."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from delivery.commands.outputs import Outputs, write_outputs
from delivery.errors import UnknownFunction
from delivery.request import address_asker
from delivery.smoke import Checked, Expected, smoke_test
from services.errors import os_reason
from services.names import UNREADABLE, plain_address
from services.terminal import Json, report

EXAMPLE = Path("examples/meadow.gif")

FunctionName = Annotated[str, typer.Argument(metavar="FUNCTION", help="Name of the function in AWS Lambda.")]
Gif = Annotated[Path, typer.Option("--gif", metavar="FILE", help="A GIF to identify.")]
Show = Annotated[str | None, typer.Option("--expect", metavar="SHOW", help="The show that it is from.")]
ModelVersion = Annotated[str | None, typer.Option(metavar="VERSION", help="The model that must answer.")]
Key = Annotated[
    str | None,
    typer.Option(envvar="GIF_DELIVER_KEY", help="API key, if the service requires one.", show_default=False),
]


def rollout(
    function: FunctionName,
    *,
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The published version; by default the newest.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Publish this zip first, without Terraform.")
    ] = None,
    share: Annotated[
        list[float] | None,
        typer.Option(metavar="S", help="A share of the requests, above 0 and below 1, that it gets first."),
    ] = None,
    pause_s: Annotated[
        float, typer.Option("--pause", min=0, metavar="SECONDS", help="Time to wait after each move.")
    ] = 0,
    alarm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An alarm that must stay off.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="An address to check too after the move.")
    ] = None,
    gif: Gif = EXAMPLE,
    show: Show = None,
    model_version: ModelVersion = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Give users a version of the function, if it answers well; otherwise leave them the one they have.

    The version is checked by its own number before the alias moves. If the check after the move fails, an
    alarm goes on, or you press Ctrl-C, the alias moves back.

    **Examples**

        gif-deliver rollout gif-analyzer-stage

        gif-deliver rollout gif-analyzer-prod --share 0.1 --share 0.5 --pause 60

    **Exit codes**: 0 when users get the version, 1 when it failed a check and they get the one before, 2 when
    the command could not run, 3 when the alias could not be moved back, 130 when interrupted.
    """
    if version is not None and bundle is not None:
        raise typer.BadParameter("give a version or a zip, not both", param_hint="--version, --bundle")
    shares = share or []
    if not all(0 < part < 1 for part in shares) or shares != sorted(set(shares)):
        raise typer.BadParameter("shares must grow, each above 0 and below 1", param_hint="--share")
    wanted = _expected(gif, show, model_version, key)
    from delivery.aws import Alarms, Function  # noqa: PLC0415 - slow, and --help must not wait
    from delivery.rollout import roll_out  # noqa: PLC0415

    target = Function(function)
    if bundle is not None:
        _say(f"publishing {bundle}")
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
        steps=shares,
        pause_s=pause_s,
        url_ask=None if url is None else address_asker(url),
        alarms=Alarms(alarm or []),
        say=_say,
    )
    report(
        as_json,
        {
            "function": function,
            "alias": target.alias_name,
            "version": done.version,
            "before": done.before,
            "moved": done.moved,
            "checks": _checks_json(done.checks),
        },
        f"{_checks_text(done.checks)}\n{target.label} is version {done.version}"
        + (f"; before it was {done.before}" if done.before else ""),
    )


def rollback(
    function: FunctionName,
    *,
    to: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The version; by default the one that was live before."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give users the version that they got before, at once; or end an interrupted rollout.

    Nothing is checked first. The version before is the one that was live, not one that failed its check.

    **Examples**

        gif-deliver rollback gif-analyzer-prod

        gif-deliver rollback gif-analyzer-prod --to 12

    **Exit codes**: 0 done, 2 when there is nothing to go back to or AWS refused.
    """
    from delivery.aws import Function  # noqa: PLC0415
    from delivery.rollout import roll_back  # noqa: PLC0415

    target = Function(function)
    done = roll_back(target, to=None if to is None else str(to))
    report(
        as_json,
        {"function": function, "alias": target.alias_name, "version": done.version, "left": done.before},
        f"{target.label} is version {done.version}" + (f", no longer {done.before}" if done.before else ""),
    )


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
    """Check that it is ready, identifies a GIF and refuses a bad file.

    **Examples**

        gif-deliver smoke https://abc.lambda-url.eu-central-1.on.aws/ --expect "Big Buck Bunny"

        gif-deliver smoke gif-analyzer-prod:live

    **Exit codes**: 0 when all checks passed, 1 when not, 2 when the command could not run.
    """
    wanted = _expected(gif, show, model_version, key)
    where = target
    if "://" in target or "@" in target:
        ask = address_asker(target)
        where = plain_address(target) or UNREADABLE  # hides a password
    else:
        name, _, qualifier = target.partition(":")
        if not name or not qualifier:
            raise typer.BadParameter(
                "give an address, or FUNCTION:VERSION", param_hint="URL|FUNCTION:QUALIFIER"
            )
        from delivery.aws import Function  # noqa: PLC0415

        ask = Function(name).asker(qualifier)
    checks = tuple(smoke_test(ask, wanted, where=where))
    report(as_json, {"target": where, "checks": _checks_json(checks)}, _checks_text(checks))


def status(function: FunctionName, *, outputs: Outputs = None, as_json: Json = False) -> None:
    """Show the published versions, and which of them users get and got before.

    A workflow keeps the output `version`, which users get, to go back to it with `rollback --to`.

    **Example**

        gif-deliver status gif-analyzer-prod

    **Exit codes**: 0 done, 2 when there is no such function or AWS refused.
    """
    from delivery.aws import Function  # noqa: PLC0415

    target = Function(function)
    alias_now, versions = target.alias(), target.versions()
    shares = {version: f"{share:.0%}" for version, share in alias_now.weights.items()}
    roles = {alias_now.version: "live", **shares}
    write_outputs(outputs, {"version": alias_now.version})
    if alias_now.before:
        roles.setdefault(alias_now.before, "before")
    lines = [
        f"{version['version']:>5}  {roles.get(version['version'], ''):<6}  {version['published'][:19]}  "
        f"{version['size_bytes'] / 2**20:5.1f} MiB  {version['memory_mb']:>5} MB  {version['sha256'][:12]}"
        for version in versions
    ]
    report(
        as_json,
        {
            "function": function,
            "alias": target.alias_name,
            "version": alias_now.version,
            "before": alias_now.before,
            "weights": dict(alias_now.weights),
            "versions": versions,
        },
        "\n".join([f"{target.label} is version {alias_now.version}", *lines]),
    )


def _expected(gif: Path, show: str | None, model_version: str | None, key: str | None) -> Expected:
    """Return what the answers must say, from the options."""
    try:
        return Expected(gif.read_bytes(), show, model_version, key)
    except OSError as error:
        raise typer.BadParameter(f"{gif}: {os_reason(error)}", param_hint="--gif") from error


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _checks_json(checks: tuple[Checked, ...]) -> list[dict[str, Any]]:
    return [{**dataclasses.asdict(check), "duration_ms": round(check.duration_ms, 1)} for check in checks]


def _checks_text(checks: tuple[Checked, ...]) -> str:
    return "\n".join(f"  {check.name:<10} {check.duration_ms:8.0f} ms  {check.says}" for check in checks)
