"""`gif-deliver candidate`: **the registry** -> **the model to deliver**, and what it is for later steps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report


def candidate(
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the model file.")],
    outputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="GITHUB_OUTPUT",
            help="Append alias, version and model_version, as GitHub Actions reads them.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take the challenger out of the registry; without one, the champion.

    MLFLOW_TRACKING_URI and its like say where the registry is; see docs/registry.md.

    **Example**

        gif-deliver candidate --out build/candidate.onnx

    **Exit codes**: 0 when there is a model to deliver, 2 when there is none or the registry cannot be asked.
    """
    from delivery.candidate import fetch_candidate  # noqa: PLC0415 - as the other commands

    found = fetch_candidate(out)
    values = {"alias": found.alias, "version": found.version, "model_version": found.model_version}
    if outputs is not None:
        with outputs.open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())
    report(
        as_json,
        {**values, "path": str(found.path)},
        f"{found.path}: the {found.alias}, version {found.version}, model {found.model_version}",
    )
