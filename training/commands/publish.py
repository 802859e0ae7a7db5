"""`gif-train card` and `gif-train publish`: describe a model, and publish it at the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from services.inference import default_model_path
from services.terminal import Json, report
from training.commands.terminal import progress

Model = Annotated[
    Path,
    typer.Argument(
        metavar="[MODEL]", help="ONNX file of gif-train export.", show_default="the packaged model"
    ),
]
PACKAGED = default_model_path()
Card = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The card; by default MODEL_CARD.md beside the model.")
]


def card(
    model: Model = PACKAGED,
    *,
    evaluation: Annotated[Path, typer.Option(metavar="FILE", help="evaluation.json of gif-train evaluate.")],
    system: Annotated[
        str, typer.Option(metavar="NAME", help="Whose figures; by default those of the chosen recipe.")
    ] = "",
    to: Card = None,
    as_json: Json = False,
) -> None:
    """Write version and figures of a model into the front matter of its card.

    The text of the card and other keys of its front matter, such as `license`, stay. `gif-train all` has
    already done this for its model.

    **Examples**

        gif-train card mine.onnx --evaluation runs/evaluation/evaluation.json

        gif-train card default.onnx --evaluation evaluation.json --system "style first, int8"
    """
    from training.evaluation.card import measured_in, write_card
    from training.registry.hub import CARD

    path = to or model.with_name(CARD)
    write_card(path, model, measured_in(evaluation, system))
    report(as_json, {"path": str(path)}, f"{path}: its front matter is that of {model}")


def publish(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository at the Hub.")],
    model: Model = PACKAGED,
    *,
    card: Card = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private, if it does not exist yet.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish a model with its card at the Hugging Face Hub, tagged with its version.

    The card is Markdown with front matter, as `gif-train all` and `gif-train card` write it. Its pictures are
    uploaded too. HF_TOKEN holds a token that may write. A published version keeps its model; its card may
    change.

    **Examples**

        gif-train publish me/gif-shows

        gif-train publish me/my-shows runs/mine/model.onnx --private
    """
    from training.registry.hub import CARD
    from training.registry.hub import publish as publish_model

    with progress().status(f"uploading to {repository}"):
        done = publish_model(repository, model, card or model.with_name(CARD), private=private)
    files = ", ".join(done.files)
    what = f"published as {done.tag}: {files}" if done.changed else f"{done.tag} is there already: no change"
    report(as_json, dataclasses.asdict(done), f"{done.address}: {what}")
