"""`gif-train all`: collects a folder of GIFs, fits a model, judges and exports it, and writes its card."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.names import is_picture
from services.terminal import Json, report
from training.commands.export import write_model
from training.commands.terminal import (
    CACHE,
    CacheDir,
    check_recipe,
    import_tensorflow,
    print_set_aside,
    progress,
)
from training.data.clips import load_clips
from training.data.drawn import draw_gifs
from training.data.manifest import Row, read_manifest
from training.errors import InvalidCollection, InvalidOptions
from training.fit.recipes import CHOSEN, RECIPES

MODEL, PAGE = "model.onnx", "card.html"
# The share of the time that each step takes, measured with the default recipe.
STEPS = {
    "reading the GIFs": 0.1,
    "decoding them": 0.1,
    "learning, once for each fold": 0.65,
    "judging": 0.05,
    "exporting": 0.1,
}


def train_all(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="GIFs in folders that are named after their shows.")
    ],
    *,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the model, its card and intermediate files.")
    ],
    unknown: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of GIFs of other things, learned as none of the shows."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help="Name of a recipe in training/fit/recipes.py.")
    ] = CHOSEN,
    version: Annotated[str, typer.Option("--model-version", help="Version of the model.")] = "1",
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Train a model of your own shows in one command: fit, judge, export, and write a card about it.

    FOLDER/Friends/some.gif is of the show *Friends*. Where you know who made a GIF, put it into
    FOLDER/Friends/MAKER/some.gif: the model is then judged on makers that it did not learn from. A show
    should have at least twenty GIFs of three makers; a warning names shows with fewer. GIFs that cannot be
    read are set aside. Run the same command again to continue an interrupted one.

    **Examples**

        gif-train all my-gifs --out runs/mine

        gif-train all my-gifs --unknown other-gifs --recipe "all depths" --out runs/mine

        gif-analyzer --model runs/mine/model.onnx some.gif
    """
    check_recipe(RECIPES, recipe)
    if out.resolve().is_relative_to(folder.resolve()):
        raise InvalidOptions("out", expected="outside of the folder of GIFs", found=str(out))
    others = _others(unknown) if unknown else ()
    console = progress()
    steps = _Steps(console)
    steps.begin("reading the GIFs")
    rows = _collect(folder, out, console)
    steps.begin("decoding them")
    rows = (*rows, *others, *(draw_gifs(cache) if others else ()))
    clips = load_clips(rows, cache, console=console)
    print_set_aside(console, clips)
    import_tensorflow()
    from training.data.splits import components
    from training.evaluation.card import make_card, weaknesses
    from training.fit.operating import Operating
    from training.fit.run import fit, held_out
    from training.registry.hub import CARD

    for warning in weaknesses(clips):
        console.print(f"warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    options = RECIPES[recipe]
    parts = int(components(clips.rows).max()) + 1
    options = dataclasses.replace(options, folds=max(min(options.folds, parts), 2))
    steps.begin("learning, once for each fold")
    run = out / "fit"
    fitted = fit(clips, options, run, cache, console=console)
    steps.begin("judging")
    operating = Operating(fitted.head.temperature, fitted.unknown_threshold, fitted.verdict)
    card = make_card(MODEL, clips, held_out(clips, options, run), operating)
    steps.begin("exporting")
    exported = write_model(run, clips.rows, out / MODEL, version=version, cache=cache, console=console)
    card.write(out / MODEL, out / PAGE, out / CARD)
    best = card.accuracy.top(1).value
    report(
        as_json,
        {
            "model": str(out / MODEL),
            "page": str(out / PAGE),
            "card": str(out / CARD),
            "shows": len(fitted.shows),
            "clips": len(clips),
            "set_aside": len(clips.set_aside),
            "top1": best,
            "size_bytes": exported.size_bytes,
            "warnings": list(card.warnings),
        },
        f"{out / MODEL}: {len(fitted.shows)} shows from {int(clips.known.sum())} GIFs. {card.summary}\n"
        f"{out / PAGE}: more about it\n"
        f"try it: gif-analyzer --model {out / MODEL} some.gif",
    )


def _collect(folder: Path, out: Path, console: Console) -> tuple[Row, ...]:
    """Group the GIFs of a folder and write their manifest, as `gif-train collect --folder` does."""
    from training.collect.collection import MANIFEST
    from training.collect.collector import Collector, Watch
    from training.collect.journal import Journal
    from training.collect.providers import Folder

    with Journal(out, Folder.name) as journal, Watch(console) as watch:
        collection = Collector(Folder(folder), out, journal, watch=watch).run()
        collection.write(out)
    for aside in collection.set_aside:
        line = f"set aside: {aside.address}: {aside.message}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return read_manifest(out / MANIFEST)


def _others(folder: Path) -> tuple[Row, ...]:
    """Return every GIF below a folder, as an example of none of the shows."""
    paths = sorted(
        Path(root) / name for root, _, names in os.walk(folder) for name in names if is_picture(name)
    )
    if not paths:
        raise InvalidCollection(str(folder), "it has no GIF in it")
    return tuple(Row(path.resolve(), "other", str(path), str(path), other=True) for path in paths)


class _Steps:
    """Prints which step begins, the time so far, and an estimate of the time left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._start = time.monotonic()

    def begin(self, step: str) -> None:
        names = list(STEPS)
        number = names.index(step)
        done = sum(STEPS[name] for name in names[:number])
        passed = time.monotonic() - self._start
        left = f", about {_minutes(passed * (1 - done) / done)} left" if done else ""
        line = f"{number + 1} of {len(names)}: {step} ({_minutes(passed)} so far{left})"
        self._console.print(line, style="bold", markup=False, highlight=False, soft_wrap=True)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
