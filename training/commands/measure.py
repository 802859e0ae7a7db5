"""`gif-train measure`: judges a fitted model on GIFs that it did not learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.terminal import CACHE, CacheDir, Run, check_run, import_tensorflow, progress
from training.data.clips import load_clips
from training.data.manifest import read_manifest, read_manifests


def measure(
    run: Run,
    manifests: Annotated[
        list[Path], typer.Argument(metavar="MANIFEST", help="GIFs of shows that the model knows.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for figures and plots.")],
    unknown: Annotated[
        Path | None, typer.Option(metavar="MANIFEST", help="GIFs of other shows; may hold none.")
    ] = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Judge a fitted model on GIFs that it did not learn from.

    Writes metrics.json, evaluation.json, predictions.json and the plots. mistakes.png shows footage: keep it
    to yourself.

    **Example**

        gif-train measure runs/first evaluation.csv --unknown unknown.csv --out runs/first/evaluation
    """
    console = progress()
    check_run(run)
    rows = read_manifests(manifests)
    others = read_manifest(unknown, may_be_empty=True) if unknown else ()
    clips = load_clips(rows, cache, console=console)
    strangers = load_clips(others, cache, console=console) if others else None
    import_tensorflow()
    from training.evaluation.measure import measure as measure_model
    from training.network.model import FittedModel

    fitted = FittedModel.load(run / "model.npz")
    found = measure_model(fitted, clips, cache, unknown=strangers, console=console)
    found.write(out)
    report(as_json, found.metrics(), "\n\n".join(table.markdown() for table in found.tables()))
