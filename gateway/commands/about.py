"""`gif-analyzer shows` and `gif-analyzer doctor`: what the model and the library know, what is installed."""

from __future__ import annotations

import dataclasses
import os
import platform

import typer

from gateway.commands.options import Library, Model, read_settings
from gateway.commands.terminal import printable, usage_errors
from gateway.settings import names_of_settings
from services.extras import EXTRAS, install, missing, version_text
from services.inference import Classifier
from services.terminal import Json, report


def shows(*, as_json: Json = False, model: Model = None, library: Library = None) -> None:
    """List the shows that can be named, with the kind of picture where the model knows it.

    With a library, the shows that only the library has are among them.

    **Examples**

        gif-analyzer shows

        gif-analyzer shows --model mine.onnx

        gif-analyzer shows --library my.library

    **Exit codes**: 0, or 2 when the command could not run (usage, a bad setting, a bad model or library).

    **Settings** from the environment: GIF_ANALYZER_MODEL, GIF_ANALYZER_LIBRARY.
    """
    with usage_errors():
        settings = read_settings(model, library=library)
        classifier = Classifier(settings.model, library=settings.library)
    about, kinds, used = classifier.model, classifier.kinds or {}, classifier.library
    taught = set(used.shows if used else ()) - set(classifier.shows)
    notes = {**kinds, **dict.fromkeys(taught, "from the library")}
    named = sorted((*classifier.shows, *taught))
    more = f" with a library of {_count(used.clip_count, 'clip')}" if used else ""
    report(
        as_json,
        {
            "model": vars(about),
            "library": dataclasses.asdict(used) if used else None,
            "shows": [{"show": show, "kind": kinds.get(show)} for show in named],
        },
        "\n".join(
            [
                printable(f"{about.name} {about.version}{more} names {len(named)} shows:"),
                *(printable(f"  {show}" + (f"  ({notes[show]})" if show in notes else "")) for show in named),
            ]
        ),
    )


def doctor() -> None:
    """Say what is installed, which model and library are used, and what each part still needs.

    **Examples**

        gif-analyzer doctor

    **Exit codes**: 0, or 2 when GIFs cannot be identified (a bad setting, a bad model or library).

    **Settings** from the environment: those of `identify`, of which the values are not printed.
    """
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    typer.echo(f"{version_text('gif-analyzer')}, {machine}, {os.cpu_count()} processors")
    with usage_errors():
        settings, named = read_settings(None), names_of_settings()
        classifier = Classifier(settings.model, library=settings.library)
    about = f"{classifier.model.name} {classifier.model.version}, {len(classifier.shows)} shows"
    typer.echo(printable(f"model     {about}: {settings.model}"))
    if used := classifier.library:
        about = f"{_count(used.clip_count, 'clip')} of {_count(len(used.shows), 'show')}"
        typer.echo(printable(f"library   {about}: {settings.library}"))
    typer.echo(f"settings  {', '.join(named) or 'none is set'}")
    width = max(len(extra.name) for extra in EXTRAS)
    typer.echo(f"\n  ready    {'':<{width}}  identify, sort, shows")
    for extra in EXTRAS:
        absent = missing(extra)
        typer.echo(f"  {'missing' if absent else 'ready  '}  {extra.name:<{width}}  {extra.use}")
        if absent:
            typer.echo(f"           {'':<{width}}    without {', '.join(absent)}: {install(extra.name)}")


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
