"""`gif-train register`: **a model file** -> MLflow -> **a version that is challenger**."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.registry import open_registry
from training.commands.terminal import progress


def register(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="ONNX file of gif-train export.")],
    *,
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the fit: its settings become the run's parameters."),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON file of figures; the PNG files beside it are its plots."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Register a model file as a new version, and make it the challenger.

    Where: MLFLOW_TRACKING_URI, by default the file runs/mlflow.db; see docs/registry.md.

    **Examples**

        gif-train register default.onnx

        gif-train register default.onnx --run runs/default --evaluation docs/evaluation/evaluation.json
    """
    from services.inference import Classifier  # noqa: PLC0415 - with ONNX Runtime, and --help must not wait
    from training.registry.registration import Candidate  # noqa: PLC0415
    from training.registry.registration import register as register_model  # noqa: PLC0415

    candidate = Candidate.gather(model, run, evaluation)
    Classifier(model)  # before anything is asked or made: is it a model at all?
    with progress().status("registering"):
        version = register_model(open_registry(), candidate)
    report(
        as_json,
        {
            "version": version.number,
            "model_version": version.tags["model_version"],
            "sha256": version.sha256,
            "run_id": version.run_id,
            "aliases": list(version.aliases),
        },
        f"{model} is version {version.number}, the challenger; sha256 {version.sha256}",
    )
