"""`gif-train feedback`: gathers what users said of answers, for people to review."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report


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
    from training.feedback import gather, write_review

    found = write_review(gather(logs, gifs), out, manifest=manifest, root=root)
    report(
        as_json,
        {"out": str(out), **dataclasses.asdict(found)},
        f"{out}: feedback on {found.feedback} answers, {found.right} of them right; "
        f"{found.joined} found in the logs; {found.gifs} GIFs to review, {found.known} of them known",
    )
