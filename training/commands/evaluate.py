"""`gif-train evaluate`: **manifests** -> every recipe judged in folds -> **figures, tables and plots**."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.terminal import CACHE, CacheDir, Kinds, import_tensorflow, progress
from training.data.manifest import read_kinds, read_manifest, with_kinds
from training.errors import InvalidOptions
from training.fit.recipes import TRIALS


def evaluate(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="CSV file: path, show, group, source of known shows.")
    ],
    *,
    unknown: Annotated[
        Path, typer.Option(metavar="MANIFEST", help="The same of other things, learned as none of the shows.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for figures and plots.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Judge this recipe beside the chosen one; by default all of them."),
    ] = None,
    kinds: Kinds = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Judge recipes in folds of whole sources, and write evaluation.json, evaluation.md and the plots.

    Shows with at least three sources are judged; clips of the others are never learned from and must come
    out as unknown. What is finished is kept in the cache: an interrupted evaluation goes on where it was.
    Expect two or three hours on two cores.

    **Examples**

        gif-train evaluate shows.csv --unknown unknown.csv --out runs/evaluation

        gif-train evaluate shows.csv --unknown unknown.csv --recipe "style first" --out runs/evaluation
    """
    strangers = sorted(set(recipe or ()) - set(TRIALS))
    if strangers:
        raise InvalidOptions("recipe", expected=f"one of {', '.join(TRIALS)}", found=strangers[0])
    known, others = with_kinds(read_manifest(manifest), read_kinds(kinds)), read_manifest(unknown)
    import_tensorflow()
    from training.evaluation.materials import Materials  # noqa: PLC0415 - see fit
    from training.evaluation.trials import run_trials  # noqa: PLC0415

    console = progress()
    materials = Materials(known, others, cache, console=console)
    found = run_trials(materials, recipe or list(TRIALS), cache, console=console)
    found.write(out)
    report(
        as_json,
        {"evaluation": str(out / "evaluation.json"), "clips": found.accuracy.clips},
        "\n\n".join(table.markdown() for table in found.tables()),
    )
