"""`gif-train export`: **a run folder** -> **the ONNX file** that gif-analyzer loads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from training.commands.terminal import CACHE, CacheDir, Json, import_tensorflow, progress, report
from training.dataset import load_clips
from training.errors import InvalidRun
from training.manifest import read_manifests

COMPARED = 16  # clips that an exported model is compared on


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished fit.")],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The ONNX file to write.")],
    compare: Annotated[
        list[Path], typer.Option(metavar="MANIFEST", help="GIFs to compare the file's answers on.")
    ],
    version: Annotated[str, typer.Option("--model-version", help="Of the model, e.g. 2026.11.23.")],
    licence: Annotated[
        str | None, typer.Option(help="On weights and data; by default what is known of the weights.")
    ] = None,
    full: Annotated[bool, typer.Option("--float32", help="Store weights whole: twice the size.")] = False,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Write a fitted model as the ONNX file that gif-analyzer loads.

    The file is written only when gif-analyzer's own inference answers as the trained model does.

    **Example**

        gif-train export runs/first --compare shows.csv --model-version 2026.11.23 --out default.onnx
    """
    console = progress()
    rows = read_manifests(compare)
    chosen = rows[:: max(len(rows) // COMPARED, 1)][:COMPARED]
    if not (run / "model.npz").exists():
        raise InvalidRun(str(run), "there is no fitted model")
    import_tensorflow()
    from training.backbone import load_backbone  # noqa: PLC0415 - ten seconds, and --help must not wait
    from training.export import export as export_model  # noqa: PLC0415
    from training.model import FittedModel  # noqa: PLC0415

    fitted = FittedModel.load(run / "model.npz")
    clips = load_clips(chosen, cache, console=console)
    facts = fitted.facts
    with console.status("exporting"):
        exported = export_model(
            fitted,
            load_backbone(fitted.backbone),
            out,
            clips=np.stack([clips.frames(index) for index in range(len(clips))]),
            version=version,
            licence=licence or f"pretrained weights: {facts['weights_licence']}, {facts['weights_source']}",
            precision="float32" if full else "float16",
        )
    report(
        as_json,
        {
            "path": str(exported.path),
            "size_bytes": exported.size_bytes,
            "clips_compared": exported.clips,
            "worst_relative_error": exported.worst_error,
        },
        f"{exported.path}: {exported.size_bytes / 1e6:.1f} MB, answers as Keras does within "
        f"{exported.worst_error:.0e} on {exported.clips} clips",
    )
