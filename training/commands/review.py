"""`gif-train review` and `feedback`: what people review, and what they said of answers, as annotations."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.evaluation.predictions import Order, read_predictions, worst
from training.feedback import gather, write_review
from training.review import apply_annotations, read_annotations, write_fiftyone, write_label_studio

review = typer.Typer(no_args_is_help=True, help="Let people review the worst predictions.")


@review.command("export")
def export_tasks(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="predictions.json of gif-train measure.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for label-studio/ and fiftyone/.")],
    order: Annotated[
        Order, typer.Option(help="The least certain answers, or the most confident mistakes.")
    ] = "uncertain",
    count: Annotated[int, typer.Option(metavar="N", help="How many GIFs at most.")] = 50,
    root: Annotated[
        Path, typer.Option(metavar="DIR", help="Document root of Label Studio, above all of the GIFs.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Export GIFs for review, with the predictions of the model.

    Both folders contain or name footage: do not publish them. docs/review.md shows how to open them.

    **Example**

        gif-train review export runs/first/evaluation/predictions.json --order wrong --out runs/review
    """
    chosen = worst(read_predictions(predictions), order, count)
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
    """Apply people's annotations to a manifest, and record the former shows, the annotators and the times.

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


def feedback(
    logs: Annotated[
        list[Path], typer.Argument(metavar="LOG…", help="Logs of the gateway, or its file of feedback.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for feedback.csv and the review.")],
    gifs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the GIFs that users gave for training.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(metavar="MANIFEST", help="GIFs that are known already, with their shows.")
    ] = None,
    root: Annotated[
        Path, typer.Option(metavar="DIR", help="Document root of Label Studio, above all of the GIFs.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Join what users said with the answers, and prepare a review of the GIFs that they gave.

    Answers are found by their id, in the same logs. `gif-train review apply` applies the review:
    docs/review.md describes the way from a wrong answer to a corrected manifest.

    **Examples**

        gif-train feedback gateway.log --out runs/feedback

        gif-train feedback gateway.log feedback.log --gifs gifs --manifest shows.csv --out runs/feedback
    """
    found = write_review(gather(logs, gifs), out, manifest=manifest, root=root)
    report(
        as_json,
        {"out": str(out), **dataclasses.asdict(found)},
        f"{out}: feedback on {found.feedback} answers, {found.right} of them right; "
        f"{found.joined} found in the logs; {found.gifs} GIFs to review, {found.known} of them known",
    )
