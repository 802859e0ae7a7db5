"""`gif-train fit`: **manifests** -> clips -> fitted model in **a run folder**."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.terminal import CACHE, CacheDir, Kinds, import_tensorflow, progress
from training.data.clips import load_clips
from training.data.drawn import draw_gifs
from training.data.manifest import as_others, read_kinds, read_manifests, with_kinds
from training.errors import InvalidOptions
from training.fit.options import FitOptions
from training.fit.recipes import CHOSEN, RECIPES


def fit(
    manifests: Annotated[
        list[Path], typer.Argument(metavar="MANIFEST", help="CSV files: path, show, group, perhaps source.")
    ],
    *,
    unknown: Annotated[
        list[Path] | None,
        typer.Option(metavar="MANIFEST", help="GIFs of other things, learned as none of the shows."),
    ] = None,
    run: Annotated[Path, typer.Option(metavar="DIR", help="Folder for what the fit leaves behind.")],
    options: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Settings in JSON, or in YAML under fit; see training/fit/options.py."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Settings of training/fit/recipes.py, by their name there; {CHOSEN} without any.",
        ),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="evaluation.json to take temperature and thresholds from; else they are fitted.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of everything drawn, instead of the settings' own.")
    ] = None,
    kinds: Kinds = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Fit a model to the GIFs of one or more manifests.

    With --unknown the model also learns what is none of the shows, from these GIFs and from pictures that
    are drawn. Only then does it say on which level it is sure: one show, one of several, a kind of picture,
    or unknown.

    GIFs that cannot be read are listed and set aside. An interrupted fit goes on where it was when the same
    command is given again.

    **Examples**

        gif-train fit shows.csv --unknown unknown.csv --run runs/first

        gif-train fit shows.csv big-buck-bunny/manifest.csv --options recipe.json --run runs/second
    """
    console = progress()
    if recipe is not None and (options is not None or recipe not in RECIPES):
        known = "absent beside --options" if options else f"one of {', '.join(RECIPES)}"
        raise InvalidOptions("recipe", expected=known, found=recipe)
    chosen = FitOptions.read(options) if options else RECIPES[recipe or CHOSEN]
    if seed is not None:
        chosen = FitOptions.from_json({**chosen.to_json(), "seed": seed})
    rows = with_kinds(read_manifests(manifests), read_kinds(kinds))
    if unknown:
        rows = (*rows, *as_others(read_manifests(unknown)), *draw_gifs(cache))
    clips = load_clips(rows, cache, console=console)
    for aside in clips.set_aside:
        line = f"set aside: {aside.row.path}: {aside.message}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    import_tensorflow()
    from training.fit.operating import Operating  # noqa: PLC0415 - ten seconds, and bad input is found before
    from training.fit.run import fit as fit_model  # noqa: PLC0415

    operating = Operating.read(evaluation) if evaluation else None
    fitted = fit_model(clips, chosen, run, cache, operating=operating, console=console)
    found = fitted.facts["out_of_fold"]
    tested = (
        f"of {found['clips']} clips answered by models that did not learn from their source, "
        f"{found['top1']:.1%} are right"
        if found
        else f"temperature and thresholds from {evaluation}"
    )
    report(
        as_json,
        {
            "model": str(run / "model.npz"),
            "shows": len(fitted.shows),
            "clips": len(clips),
            "set_aside": len(clips.set_aside),
            "out_of_fold_clips": found.get("clips"),
            "out_of_fold_top1": found.get("top1"),
            "temperature": fitted.head.temperature,
            "unknown_threshold": fitted.unknown_threshold,
        },
        f"{run / 'model.npz'}: {len(fitted.shows)} shows from {len(clips)} clips; {tested}",
    )
