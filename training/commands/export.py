"""`gif-train export`: writes a fitted model as the ONNX file that gif-analyzer loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from services.terminal import Json, report
from training.commands.terminal import CACHE, CacheDir, Run, check_run, import_tensorflow, progress
from training.data.clips import load_clips
from training.data.manifest import Row, read_manifests
from training.errors import InvalidManifest, InvalidOptions

if TYPE_CHECKING:
    from services.inference import EarlyExit
    from training.export.model_file import Exported, Precision

COMPARED = 16  # clips to compare the answers of the exported model on
COMPARED_INT8 = 200  # int8 answers differ a little, so a share of them must agree: 3 % of these are 6 clips


def export(
    run: Run,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The ONNX file to write.")],
    compare: Annotated[
        list[Path], typer.Option(metavar="MANIFEST", help="GIFs to compare the file's answers on.")
    ],
    version: Annotated[str, typer.Option("--model-version", help="Version of the model, e.g. 2026.11.23.")],
    licence: Annotated[
        str | None, typer.Option(help="Of weights and data; by default that of the pretrained weights.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Compute in 8-bit integers: smaller, and over twice as fast.")
    ] = False,
    evaluation: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="evaluation.json that must have found int8 good enough."),
    ] = None,
    early_exit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="effort.json whose rule for early exit the file is to hold."),
    ] = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Write a fitted model as the ONNX file that gif-analyzer loads.

    The file is written only when gif-analyzer's own inference answers as the trained model does. With
    --int8 some of the clips calibrate the model, and others are compared: for 93 % of these it must name the
    show that the trained model names.

    **Examples**

        gif-train export runs/first --compare shows.csv --model-version 2026.11.23 --out default.onnx

        gif-train export runs/first --compare shows.csv --int8 --model-version 2 --out small.onnx
    """
    if evaluation is not None:
        if not int8:
            raise InvalidOptions("evaluation", expected="given with --int8", found="given without")
        from training.statistics.comparison import require_agreement

        require_agreement(evaluation)
    rule = None
    if early_exit is not None:
        from training.fit.operating import read_rule

        rule = read_rule(early_exit)
    console = progress()
    rows = read_manifests(compare)
    if int8 and len(rows) < 2:
        raise InvalidManifest(str(compare[0]), "int8 needs a GIF to measure ranges on and another to compare")
    check_run(run)
    exported = write_model(
        run,
        rows,
        out,
        version=version,
        licence=licence,
        precision="int8" if int8 else "float16",
        early_exit=rule,
        cache=cache,
        console=console,
    )
    report(
        as_json,
        {
            "path": str(exported.path),
            "size_bytes": exported.size_bytes,
            "clips_compared": exported.clips,
            "worst_relative_error": exported.worst_error,
            "agreement": exported.agreement,
        },
        f"{exported.path}: {exported.size_bytes / 1e6:.1f} MB, "
        + (
            f"names the show that Keras names for {exported.agreement:.1%} of {exported.clips} clips"
            if int8
            else f"answers as Keras does within {exported.worst_error:.0e} on {exported.clips} clips"
        ),
    )


def write_model(
    run: Path,
    rows: Sequence[Row],
    out: Path,
    *,
    version: str,
    licence: str | None = None,
    precision: Precision = "float16",
    early_exit: EarlyExit | None = None,
    cache: Path,
    console: Console,
) -> Exported:
    """Write the model of a finished fit, after comparing its answers on some of the rows; see `export`."""
    import_tensorflow()
    from training.export.int8 import CALIBRATED
    from training.export.model_file import export as export_model
    from training.network.backbone import load_backbone
    from training.network.model import FittedModel

    int8 = precision == "int8"
    ranges = _spread(rows, min(CALIBRATED, len(rows) // 2)) if int8 else []
    chosen = _spread([row for row in rows if row not in ranges], COMPARED_INT8 if int8 else COMPARED)
    fitted = FittedModel.load(run / "model.npz")
    clips = load_clips(chosen, cache, console=console)
    learned = load_clips(ranges, cache, console=console) if ranges else None
    facts = fitted.facts
    with console.status("exporting"):
        return export_model(
            fitted,
            load_backbone(fitted.backbone),
            out,
            clips=np.stack([clips.frames(index) for index in range(len(clips))]),
            version=version,
            licence=licence or f"pretrained weights: {facts['weights_licence']}, {facts['weights_source']}",
            precision=precision,
            calibration=(learned.frames(index) for index in range(len(learned))) if learned else (),
            early_exit=early_exit,
        )


def _spread(rows: Sequence[Row], count: int) -> list[Row]:
    """Return at most `count` of the rows, evenly spread over the list."""
    wanted = min(count, len(rows))
    return [rows[number * len(rows) // wanted] for number in range(wanted)]
