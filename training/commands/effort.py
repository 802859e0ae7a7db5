"""`gif-train effort`: **manifests, an evaluation** -> held-out answers by frame -> **what frames give**."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.terminal import CACHE, CacheDir, Kinds, import_tensorflow, progress
from training.data.manifest import read_kinds, read_manifest, with_kinds
from training.data.splits import components
from training.errors import InvalidOptions
from training.fit.recipes import INT8, TRIALS


def effort(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="CSV file: path, show, group, source of known shows.")
    ],
    *,
    unknown: Annotated[
        Path, typer.Option(metavar="MANIFEST", help="The same of shows that must come out as unknown.")
    ],
    evaluation: Annotated[
        Path, typer.Option(metavar="FILE", help="evaluation.json with temperature and unknown threshold.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for effort.json, effort.md, effort.png.")],
    recipe: Annotated[str, typer.Option(metavar="NAME", help="What is judged.")] = INT8,
    kinds: Kinds = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Measure accuracy against the number of frames looked at, and find a rule for early exit.

    Clips are judged in the folds of `gif-train evaluate`, whose trainings in the cache are used again. The
    rule is for `gif-train export --early-exit`.

    **Example**

        gif-train effort shows.csv --unknown unknown.csv --evaluation evaluation.json --out runs/effort
    """
    if recipe not in TRIALS:
        raise InvalidOptions("recipe", expected=f"one of {', '.join(TRIALS)}", found=recipe)
    known, others = with_kinds(read_manifest(manifest), read_kinds(kinds)), read_manifest(unknown)
    from training.evaluation.effort import measure_effort  # noqa: PLC0415 - it brings scipy
    from training.fit.operating import Operating  # noqa: PLC0415

    operating = Operating.read(evaluation)
    import_tensorflow()
    from training.evaluation.exit_rule import FrameLogits  # noqa: PLC0415 - see fit
    from training.evaluation.materials import Materials  # noqa: PLC0415
    from training.evaluation.trials import run_trial  # noqa: PLC0415

    console = progress()
    materials = Materials(known, others, cache, console=console)
    held = run_trial(recipe, materials, cache, console=console)
    clips = materials.judged
    groups = components(clips.rows, "group")
    judged = FrameLogits(held.logits["plain"], held.labels, held.fold, groups, clips.shows, clips.kinds)
    found = measure_effort(judged, operating, recipe=recipe)
    found.write(out)
    report(as_json, {"effort": str(out / "effort.json"), **found.to_json()}, found.markdown())
