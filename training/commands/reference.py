"""`gif-train reference`: reads or sets what the answers of a version are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.inference import Summary
from services.inference.answers import read_answer
from services.terminal import Json, report
from training.commands.registry import open_registry
from training.errors import InvalidLog
from training.files import write_json
from training.logs import read_logs


def reference(
    which: Annotated[
        str,
        typer.Argument(metavar="[WHICH]", help="champion, challenger, previous, rolled_back or a number."),
    ] = "champion",
    *,
    answers: Annotated[
        list[Path] | None,
        typer.Option(metavar="LOG", help="Set it: a log with answers of this version, as in staging."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to a file.")] = None,
    as_json: Json = False,
) -> None:
    """Show what the answers of a version are compared with by `gif-deliver drift`, or set it.

    Held-out GIFs are not mixed as those of users are. So once a version has answered users for a week or two,
    its own answers are the better reference.

    **Examples**

        gif-train reference champion --out reference.json

        gif-train reference champion --answers first-week.log
    """
    from training.registry.reference import read_reference, write_reference

    registry = open_registry()
    version = registry.version(which)
    if answers:
        model_version = version.tags.get("model_version", "")
        found = Summary.of(
            read_logs(answers, read_answer),
            model_version=model_version,
            source=", ".join(path.name for path in answers),
        )
        if not found.answers:
            raise InvalidLog(str(answers[0]), f"it has no answers of model {model_version}")
        write_reference(registry, version, found)
    else:
        found = read_reference(registry, version)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, found.to_json())
    report(
        as_json,
        {"version": version.number, **found.to_json(), "answers": found.answers},
        f"version {version.number}: {found.answers:,} answers ({found.source})",
    )
