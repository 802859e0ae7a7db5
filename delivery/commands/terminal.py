"""What every command shares with the terminal: options, progress, **one answer**."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from delivery.smoke import Checked, Expected
from services.errors import os_reason

EXAMPLE = Path("examples/meadow.gif")

FunctionName = Annotated[str, typer.Argument(metavar="FUNCTION", help="Name of the function in AWS Lambda.")]
AliasName = Annotated[str, typer.Option("--alias", help="The alias that users are given.")]
Gif = Annotated[Path, typer.Option("--gif", metavar="FILE", help="A GIF to ask about.")]
Show = Annotated[str | None, typer.Option("--expect", metavar="SHOW", help="The show that it is from.")]
ModelVersion = Annotated[str | None, typer.Option(metavar="VERSION", help="The model that must answer.")]
Key = Annotated[
    str | None,
    typer.Option(envvar="GIF_DELIVER_KEY", help="API key, if the service asks for one.", show_default=False),
]


def say(line: str) -> None:
    """Tell what happens now: on standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def expected(gif: Path, show: str | None, model_version: str | None, key: str | None) -> Expected:
    """What the answers must say, from the options."""
    try:
        content = gif.read_bytes()
    except OSError as error:
        why = os_reason(error)
        raise typer.BadParameter(f"{gif}: {why}", param_hint="--gif") from error
    return Expected(content, show, model_version, key)


def checks_json(checks: tuple[Checked, ...]) -> list[dict[str, Any]]:
    """The checks, as values for programs."""
    return [
        {
            "name": check.name,
            "duration_ms": round(check.duration_ms, 1),
            "version": check.version,
            "says": check.says,
        }
        for check in checks
    ]


def checks_text(checks: tuple[Checked, ...]) -> str:
    """The checks, a line each."""
    return "\n".join(f"  {check.name:<10} {check.duration_ms:8.0f} ms  {check.says}" for check in checks)
