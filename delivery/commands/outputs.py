"""What a step of GitHub Actions hands to later steps: lines in the file that GITHUB_OUTPUT names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

Outputs = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="GITHUB_OUTPUT",
        help="Append what later steps of GitHub Actions read, as NAME=VALUE.",
        show_default=False,
    ),
]


def write_outputs(outputs: Path | None, values: Mapping[str, str]) -> None:
    """Append values to the file, one a line; None writes nothing."""
    if outputs is not None:
        with outputs.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())
