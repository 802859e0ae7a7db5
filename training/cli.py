"""The command line of training: **manifests, videos** -> cut, evaluate, fit, export -> **a model file**.

Exit codes: 0 done, 1 the data or the work failed, 2 usage or settings, 130 interrupted.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from training.errors import InvalidOptions, InvalidVideo, TrainingError

# TensorFlow reads this when it is first imported, which the commands below do and this module does not.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

FAILED = 1  # the data or the work
USAGE = 2  # the command itself cannot run

CACHE = Path("runs/cache")
COMPARED = 16  # clips that an exported model is compared on

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object about what was done.")]
CacheDir = Annotated[
    Path, typer.Option("--cache", metavar="DIR", help="Where clips and features are kept between runs.")
]


@app.callback()
def gif_train() -> None:
    """Train a model that names the show of a GIF."""


@app.command()
def fit(
    manifests: Annotated[
        list[Path], typer.Argument(metavar="MANIFEST", help="CSV files: path, show, group, perhaps source.")
    ],
    *,
    run: Annotated[Path, typer.Option(metavar="DIR", help="Folder for what the fit leaves behind.")],
    options: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON file of settings; see training/options.py.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME", help="Settings of training/recipes.py, by their name there.")
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="evaluation.json to take temperature and threshold from; else they are fitted.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of everything drawn, instead of the settings' own.")
    ] = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Fit a model to the GIFs of one or more manifests.

    GIFs that cannot be read are listed and set aside. An interrupted fit goes on where it was when the same
    command is given again.

    **Examples**

        gif-train fit shows.csv --run runs/first

        gif-train fit shows.csv big-buck-bunny/manifest.csv --options recipe.json --run runs/second
    """
    from training.dataset import load_clips  # noqa: PLC0415 - TensorFlow takes ten seconds; --help must not
    from training.evaluate import Operating  # noqa: PLC0415
    from training.fit import fit as fit_model  # noqa: PLC0415
    from training.manifest import read_manifests  # noqa: PLC0415
    from training.options import FitOptions  # noqa: PLC0415
    from training.recipes import RECIPES  # noqa: PLC0415

    console = Console(stderr=True)
    if recipe is not None and (options is not None or recipe not in RECIPES):
        known = "absent beside --options" if options else f"one of {', '.join(RECIPES)}"
        raise InvalidOptions("recipe", expected=known, found=recipe)
    chosen = RECIPES[recipe] if recipe else FitOptions.read(options) if options else FitOptions()
    if seed is not None:
        chosen = FitOptions.from_json({**chosen.to_json(), "seed": seed})
    clips = load_clips(read_manifests(manifests), cache, console=console)
    for aside in clips.set_aside:
        console.print(f"set aside: {aside.row.path}: {aside.message}", markup=False, highlight=False)
    operating = Operating.read(evaluation) if evaluation else None
    fitted = fit_model(clips, chosen, run, cache, operating=operating, console=console)
    found = fitted.facts["out_of_fold"]
    tested = (
        f"of {found['clips']} clips answered by models that did not learn from their source, "
        f"{found['top1']:.1%} are right"
        if found
        else f"temperature and threshold from {evaluation}"
    )
    _report(
        as_json,
        {
            "model": str(run / "model.npz"),
            "shows": len(fitted.shows),
            "clips": len(clips),
            "set_aside": len(clips.set_aside),
            "out_of_fold_clips": found.get("clips"),
            "out_of_fold_top1": found.get("top1"),
            "temperature": fitted.head.temperature,
            "unknown_threshold": fitted.unknown_threshold,
        },
        f"{run / 'model.npz'}: {len(fitted.shows)} shows from {len(clips)} clips; {tested}",
    )


@app.command()
def evaluate(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="CSV file: path, show, group, source of known shows.")
    ],
    *,
    unknown: Annotated[
        Path, typer.Option(metavar="MANIFEST", help="The same of shows that must come out as unknown.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for figures and plots.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Judge this recipe beside the chosen one; by default all of them."),
    ] = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Judge recipes in folds of whole sources, and write evaluation.json, evaluation.md and the plots.

    Shows with at least three sources are judged; clips of the others count as unknown. What is finished is
    kept in the cache: an interrupted evaluation goes on where it was. Expect more than an hour on two cores.

    **Examples**

        gif-train evaluate shows.csv --unknown unknown.csv --out runs/evaluation

        gif-train evaluate shows.csv --unknown unknown.csv --recipe ridge --out runs/evaluation
    """
    from training.manifest import read_manifest  # noqa: PLC0415 - see fit
    from training.materials import Materials  # noqa: PLC0415
    from training.recipes import RECIPES  # noqa: PLC0415
    from training.trials import run_trials  # noqa: PLC0415

    strangers = sorted(set(recipe or ()) - set(RECIPES))
    if strangers:
        raise InvalidOptions("recipe", expected=f"one of {', '.join(RECIPES)}", found=strangers[0])
    console = Console(stderr=True)
    materials = Materials(read_manifest(manifest), read_manifest(unknown), cache, console=console)
    found = run_trials(materials, recipe or list(RECIPES), cache, console=console)
    found.write(out)
    _report(
        as_json,
        {"evaluation": str(out / "evaluation.json"), "clips": found.accuracy.clips},
        "\n\n".join(table.markdown() for table in found.tables()),
    )


@app.command()
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
    import numpy as np  # noqa: PLC0415

    from training.backbone import load_backbone  # noqa: PLC0415
    from training.dataset import load_clips  # noqa: PLC0415
    from training.export import export as export_model  # noqa: PLC0415
    from training.manifest import read_manifests  # noqa: PLC0415
    from training.model import FittedModel  # noqa: PLC0415

    console = Console(stderr=True)
    fitted = FittedModel.load(run / "model.npz")
    rows = read_manifests(compare)
    chosen = rows[:: max(len(rows) // COMPARED, 1)][:COMPARED]
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
    _report(
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


@app.command()
def cut(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video you have the right to use.")],
    *,
    show: Annotated[str, typer.Option(metavar="NAME", help="Title that the GIFs are of.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the GIFs and manifest.csv.")],
    window: Annotated[
        list[str],
        typer.Option(metavar="START-END", help="Seconds to cut from; give it once for each stretch."),
    ],
    clip_s: Annotated[float, typer.Option(metavar="SECONDS", help="Length of a GIF.")] = 3.0,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 10.0,
    height: Annotated[
        int, typer.Option(metavar="PIXELS", help="Of a GIF that shows the whole picture.")
    ] = 200,
    as_json: Json = False,
) -> None:
    """Cut a video into GIFs, and write a manifest of them.

    GIFs overlap and are framed in several ways. All GIFs of one window form one group: they are never split
    between learning and testing.

    **Example**

        gif-train cut bunny.mp4 --show "Big Buck Bunny" --window 0-8 --window 16-24 --out big-buck-bunny
    """
    from training.cut import MANIFEST, cut_video  # noqa: PLC0415 - a video library for this command alone

    if not video.is_file():
        raise InvalidVideo(str(video), "there is no such file")
    windows = [_window(text) for text in window]
    rows = cut_video(video, show, out, windows=windows, clip_s=clip_s, fps=fps, height=height)
    _report(
        as_json,
        {"manifest": str(out / MANIFEST), "gifs": len(rows), "groups": len(windows)},
        f"{out / MANIFEST}: {len(rows)} GIFs in {len(windows)} groups",
    )


def main() -> None:
    """Run the command line; an error of the family is one line on standard error."""
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        app()
    except TrainingError as error:
        sys.stderr.write(f"error: {error.message}\n")
        raise SystemExit(USAGE if isinstance(error, InvalidOptions) else FAILED) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from here\n")
        raise SystemExit(130) from None


def _window(text: str) -> tuple[float, float]:
    start, _, end = text.partition("-")
    try:
        return float(start), float(end)
    except ValueError:
        raise InvalidOptions("window", expected="START-END in seconds", found=text) from None


def _report(as_json: bool, values: dict[str, Any], text: str) -> None:
    typer.echo(json.dumps(values) if as_json else text)
