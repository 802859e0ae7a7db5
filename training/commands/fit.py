"""`gif-train fit`: fits a model to the GIFs of manifests, and writes it into a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.terminal import (
    CACHE,
    CacheDir,
    Kinds,
    Manifests,
    check_recipe,
    import_tensorflow,
    print_set_aside,
    progress,
)
from training.data.clips import load_clips
from training.data.drawn import draw_gifs
from training.data.manifest import as_others, read_kinds, read_manifests, with_kinds
from training.errors import InvalidOptions
from training.fit.options import Devices, FitOptions, Hardware, Precision
from training.fit.recipes import CHOSEN, RECIPES
from training.settings import YAML


def fit(
    manifests: Manifests,
    *,
    unknown: Annotated[
        list[Path] | None,
        typer.Option(metavar="MANIFEST", help="GIFs of other things, learned as none of the shows."),
    ] = None,
    run: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the fitted model.")],
    options: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Settings in JSON, or in YAML under fit; see training/fit/options.py."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help=f"Settings by their name in training/fit/recipes.py; by default {CHOSEN}."
        ),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="evaluation.json to take temperature and thresholds from; without it they are fitted.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed, in place of that of the settings.")] = None,
    devices: Annotated[Devices | None, typer.Option(help="Devices for fine-tuning.")] = None,
    precision: Annotated[Precision | None, typer.Option(help="Of fine-tuning on a GPU.")] = None,
    kinds: Kinds = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Fit a model to the GIFs of one or more manifests.

    With --unknown the model also learns what is none of the shows, from these GIFs and from drawn pictures.
    Only then does it answer on the level at which it is certain: one show, one of several, a kind of picture,
    or unknown.

    GIFs that cannot be read are listed and set aside. Run the same command again to continue an interrupted
    fit.

    **Examples**

        gif-train fit shows.csv --unknown unknown.csv --run runs/first

        gif-train fit shows.csv big-buck-bunny/manifest.csv --options recipe.json --run runs/second
    """
    console = progress()
    if recipe is not None and options is not None:
        raise InvalidOptions("recipe", expected="absent beside --options", found=recipe)
    check_recipe(RECIPES, recipe or CHOSEN)
    chosen = FitOptions.read(options) if options else RECIPES[recipe or CHOSEN]
    if seed is not None:
        chosen = FitOptions.from_json({**chosen.to_json(), "seed": seed})
    in_file = Hardware.read(options) if options and options.suffix in YAML else Hardware()
    hardware = Hardware(devices or in_file.devices, precision or in_file.precision)
    rows = with_kinds(read_manifests(manifests), read_kinds(kinds))
    if unknown:
        rows = (*rows, *as_others(read_manifests(unknown)), *draw_gifs(cache))
    clips = load_clips(rows, cache, console=console)
    print_set_aside(console, clips)
    import_tensorflow()
    from training.fit.operating import Operating
    from training.fit.run import fit as fit_model

    operating = Operating.read(evaluation) if evaluation else None
    fitted = fit_model(clips, chosen, run, cache, operating=operating, hardware=hardware, console=console)
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
