"""`gif-analyzer shows`: **a model file** -> the shows that it can name."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gateway.commands.options import Model, read_settings
from gateway.commands.table import printable
from gateway.commands.terminal import usage_errors
from services.inference import Classifier


def shows(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Model = None,
) -> None:
    """List the shows that can be named, with the kind of picture where the model knows it.

    **Examples**

        gif-analyzer shows

        gif-analyzer shows --model mine.onnx

    **Exit codes**: 0, or 2 when the command could not run (usage, a bad setting, a bad model).

    **Settings** from the environment: GIF_ANALYZER_MODEL.
    """
    with usage_errors():
        classifier = Classifier(read_settings(model).model)
    kinds = classifier.kinds or {}
    if as_json:
        named = [{"show": show, "kind": kinds.get(show)} for show in sorted(classifier.shows)]
        typer.echo(
            json.dumps(
                {
                    "model": {"name": classifier.model.name, "version": classifier.model.version},
                    "shows": named,
                }
            )
        )
        return
    typer.echo(
        printable(f"{classifier.model.name} {classifier.model.version} names {len(classifier.shows)} shows:")
    )
    for show in sorted(classifier.shows):
        typer.echo(printable(f"  {show}" + (f"  ({kinds[show]})" if show in kinds else "")))
