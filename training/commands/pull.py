"""`gif-train pull`: **an alias or a version** -> **its model file**, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.registry import open_registry
from training.commands.terminal import progress


def pull(
    which: Annotated[
        str,
        typer.Argument(metavar="[WHICH]", help="champion, challenger, previous, rolled_back or a number."),
    ] = "champion",
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the ONNX file.")],
    as_json: Json = False,
) -> None:
    """Download the model file of a version.

    It is written only when its digest is the registered one and gif-analyzer can use it.

    **Examples**

        gif-train pull --out champion.onnx

        gif-train pull 3 --out third.onnx --json
    """
    registry = open_registry()
    with progress().status(f"fetching {which}"):
        version = registry.version(which)
        classifier = registry.pull(version, out)
    report(
        as_json,
        {
            "path": str(out),
            "version": version.number,
            "aliases": list(version.aliases),
            "model_version": classifier.model.version,
            "sha256": version.sha256,
            "shows": len(classifier.shows),
        },
        f"{out}: version {version.number}, model {classifier.model.version}, {len(classifier.shows)} shows",
    )
