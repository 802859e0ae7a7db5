"""`gif-analyzer shows` and `gif-analyzer doctor`: what the model knows, and what is installed."""

from __future__ import annotations

import os
import platform

import typer

from gateway.commands.options import Model, read_settings
from gateway.commands.terminal import printable, usage_errors
from gateway.settings import names_of_settings
from services.extras import EXTRAS, install, missing, version_text
from services.inference import Classifier
from services.terminal import Json, report


def shows(*, as_json: Json = False, model: Model = None) -> None:
    """List the shows that can be named, with the kind of picture where the model knows it.

    **Examples**

        gif-analyzer shows

        gif-analyzer shows --model mine.onnx

    **Exit codes**: 0, or 2 when the command could not run (usage, a bad setting, a bad model).

    **Settings** from the environment: GIF_ANALYZER_MODEL.
    """
    with usage_errors():
        classifier = Classifier(read_settings(model).model)
    about, kinds = classifier.model, classifier.kinds or {}
    named = sorted(classifier.shows)
    report(
        as_json,
        {
            "model": {"name": about.name, "version": about.version},
            "shows": [{"show": show, "kind": kinds.get(show)} for show in named],
        },
        "\n".join(
            [
                printable(f"{about.name} {about.version} names {len(named)} shows:"),
                *(printable(f"  {show}" + (f"  ({kinds[show]})" if show in kinds else "")) for show in named),
            ]
        ),
    )


def doctor() -> None:
    """Say what is installed, which model is used, and what each part still needs.

    **Examples**

        gif-analyzer doctor

    **Exit codes**: 0, or 2 when GIFs cannot be identified (a bad setting, a bad model).

    **Settings** from the environment: those of `identify`, of which the values are not printed.
    """
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    typer.echo(f"{version_text('gif-analyzer')}, {machine}, {os.cpu_count()} processors")
    with usage_errors():
        settings, named = read_settings(None), names_of_settings()
        classifier = Classifier(settings.model)
    about = f"{classifier.model.name} {classifier.model.version}, {len(classifier.shows)} shows"
    typer.echo(printable(f"model     {about}: {settings.model}"))
    typer.echo(f"settings  {', '.join(named) or 'none is set'}")
    width = max(len(extra.name) for extra in EXTRAS)
    typer.echo(f"\n  ready    {'':<{width}}  identify, sort, shows")
    for extra in EXTRAS:
        absent = missing(extra)
        typer.echo(f"  {'missing' if absent else 'ready  '}  {extra.name:<{width}}  {extra.use}")
        if absent:
            typer.echo(f"           {'':<{width}}    without {', '.join(absent)}: {install(extra.name)}")
