"""The commands that judge recipes (`gif-train evaluate`, `effort`) and libraries (`teaching`, `footage`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.inference import Classifier, default_model_path
from services.terminal import Json, report
from training.commands.terminal import (
    CACHE,
    CacheDir,
    Kinds,
    Manifest,
    check_recipe,
    import_tensorflow,
    progress,
)
from training.data.manifest import read_kinds, read_manifest, with_kinds
from training.fit.recipes import CHOSEN, INT8, RECIPES, TRIALS

Unknown = Annotated[
    Path,
    typer.Option(metavar="MANIFEST", help="GIFs of other things, which must come out as unknown."),
]


def evaluate(
    manifest: Manifest,
    *,
    unknown: Unknown,
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
    out as unknown. Finished trainings are cached: run the same command again to continue an interrupted
    evaluation. Expect two or three hours on two cores.

    **Examples**

        gif-train evaluate shows.csv --unknown unknown.csv --out runs/evaluation

        gif-train evaluate shows.csv --unknown unknown.csv --recipe "style first" --out runs/evaluation
    """
    check_recipe(TRIALS, *(recipe or ()))
    known, others = with_kinds(read_manifest(manifest), read_kinds(kinds)), read_manifest(unknown)
    import_tensorflow()
    from training.evaluation.materials import Materials
    from training.evaluation.trials import run_trials

    console = progress()
    materials = Materials(known, others, cache, console=console)
    found = run_trials(materials, recipe or list(TRIALS), cache, console=console)
    found.write(out)
    report(
        as_json,
        {"evaluation": str(out / "evaluation.json"), "clips": found.accuracy.clips},
        "\n\n".join(table.markdown() for table in found.tables()),
    )


def effort(
    manifest: Manifest,
    *,
    unknown: Unknown,
    evaluation: Annotated[
        Path, typer.Option(metavar="FILE", help="evaluation.json with temperature and unknown threshold.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for effort.json, effort.md, effort.png.")],
    recipe: Annotated[str, typer.Option(metavar="NAME", help="Name of the recipe to judge.")] = INT8,
    kinds: Kinds = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Measure accuracy against the number of frames, and find a rule for early exit.

    Clips are judged in the folds of `gif-train evaluate`, whose cached trainings are used again. The rule is
    for `gif-train export --early-exit`.

    **Example**

        gif-train effort shows.csv --unknown unknown.csv --evaluation evaluation.json --out runs/effort
    """
    check_recipe(TRIALS, recipe)
    known, others = with_kinds(read_manifest(manifest), read_kinds(kinds)), read_manifest(unknown)
    from training.data.splits import components
    from training.evaluation.effort import measure_effort
    from training.fit.operating import Operating

    operating = Operating.read(evaluation)
    import_tensorflow()
    from training.evaluation.exit_rule import FrameLogits
    from training.evaluation.materials import Materials
    from training.evaluation.trials import run_trial

    console = progress()
    materials = Materials(known, others, cache, console=console)
    held = run_trial(recipe, materials, cache, console=console)
    clips = materials.judged
    groups = components(clips.rows, "group")
    judged = FrameLogits(held.logits["plain"], held.labels, held.fold, groups, clips.shows, clips.kinds)
    found = measure_effort(judged, operating, recipe=recipe)
    found.write(out)
    report(as_json, {"effort": str(out / "effort.json"), **found.to_json()}, found.markdown())


def teaching(
    manifest: Manifest,
    *,
    unknown: Unknown,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for teaching.json, teaching.md, teaching.png.")
    ],
    recipe: Annotated[str, typer.Option(metavar="NAME", help="Name of the recipe to judge.")] = CHOSEN,
    kinds: Kinds = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Measure how well a library teaches shows that the model was not trained for.

    Each show with at least three sources is left out of training in turn and taught by 1, 3, 5 and 10 GIFs
    of other sources than those that are judged. Features are those of `gif-train evaluate`. Finished folds
    are cached: run the same command again to continue an interrupted study. Expect ten minutes on two cores
    once the features are there.

    **Example**

        gif-train teaching shows.csv --unknown unknown.csv --out runs/teaching
    """
    check_recipe(RECIPES, recipe)
    known, others = with_kinds(read_manifest(manifest), read_kinds(kinds)), read_manifest(unknown)
    import_tensorflow()
    from training.evaluation.materials import Materials
    from training.evaluation.teaching import leave_shows_out, measure_teaching
    from training.fit.crossvalidate import ALWAYS
    from training.fit.trainer import Trainer

    console = progress()
    materials = Materials(known, others, cache, console=console)
    trainer = Trainer(materials.clips, RECIPES[recipe], cache, console=console, beside=RECIPES[CHOSEN])
    models = leave_shows_out(trainer, materials.fold, cache, console=console)
    folds = materials.fold[materials.fold != ALWAYS]
    found = measure_teaching(models, materials.judged, folds, recipe=recipe)
    found.write(out)
    report(as_json, {"teaching": str(out / "teaching.json"), **found.to_json()}, found.markdown())


def footage(
    manifest: Manifest,
    *,
    unknown: Unknown,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for footage.json and footage.md.")],
    model: Annotated[
        Path, typer.Option(metavar="FILE", help="The model that makes the embeddings.")
    ] = default_model_path(),  # noqa: B008 - a constant path
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Measure how often a library finds footage that was changed, and how often it is wrong.

    A library is made of all GIFs. GIFs of the shows are mirrored, captioned, cropped and so on, and searched
    for. Finished changes are cached: run the same command again to continue an interrupted study. Expect half
    an hour on two cores.

    **Example**

        gif-train footage shows.csv --unknown unknown.csv --out runs/footage
    """
    known, others = read_manifest(manifest), read_manifest(unknown)
    from training.evaluation.footage import measure_footage

    found = measure_footage(Classifier(model), known, others, cache, console=progress())
    found.write(out)
    report(as_json, {"footage": str(out / "footage.json"), **found.to_json()}, found.markdown())
