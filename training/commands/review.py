"""`gif-train review`: **predictions** -> people -> **a corrected manifest**."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, cast

import typer

from services.terminal import Json, report
from training.evaluation.predictions import Order, read_predictions, worst
from training.review.annotation import apply_annotations, read_annotations
from training.review.tasks import write_fiftyone, write_label_studio

review = typer.Typer(no_args_is_help=True, help="Have people look at the worst answers.")


@review.command("export")
def export_tasks(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="predictions.json of gif-train measure.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for label-studio/ and fiftyone/.")],
    order: Annotated[
        str, typer.Option(metavar="uncertain|wrong", help="The most undecided, or the surest mistakes.")
    ] = "uncertain",
    count: Annotated[int, typer.Option(metavar="N", help="How many GIFs at most.")] = 50,
    root: Annotated[
        Path, typer.Option(metavar="DIR", help="Document root of Label Studio, above all of the GIFs.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Write the GIFs that a person should look at, with what the model said of them.

    Both folders hold or name footage: keep them to yourself. docs/review.md shows how to open them.

    **Example**

        gif-train review export runs/first/evaluation/predictions.json --order wrong --out runs/review
    """
    chosen = worst(read_predictions(predictions), cast(Order, order), count)
    write_label_studio(chosen, out / "label-studio", root)
    write_fiftyone(chosen, out / "fiftyone")
    report(
        as_json,
        {
            "tasks": str(out / "label-studio/tasks.json"),
            "fiftyone": str(out / "fiftyone"),
            "gifs": len(chosen),
        },
        f"{out}: {len(chosen)} GIFs for Label Studio and FiftyOne",
    )


@review.command("apply")
def apply_export(
    annotations: Annotated[Path, typer.Argument(metavar="FILE", help="JSON export of Label Studio.")],
    *,
    manifest: Annotated[Path, typer.Option(metavar="MANIFEST", help="The manifest to correct.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The corrected manifest.")],
    as_json: Json = False,
) -> None:
    """Take what people said into a manifest, which keeps what it said before, who spoke and when.

    **Example**

        gif-train review apply annotations.json --manifest shows.csv --out shows-reviewed.csv
    """
    found = apply_annotations(manifest, read_annotations(annotations), out)
    report(
        as_json,
        {"manifest": str(out), **dataclasses.asdict(found)},
        f"{out}: {found.confirmed} confirmed, {found.corrected} corrected, {found.left_out} left out; "
        f"{found.strangers} annotations of GIFs that are not in it",
    )
