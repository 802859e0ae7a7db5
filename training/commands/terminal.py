"""What the commands share: option types, the console for progress, and the import of TensorFlow.

Commands import heavy libraries when they run, so that --help is quick, and TensorFlow, which takes ten
seconds, after they have checked their input.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from training.errors import InvalidOptions, InvalidRun

if TYPE_CHECKING:
    from training.data.clips import Clips

# TensorFlow reads this when it is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CACHE = Path("runs/cache")

CacheDir = Annotated[
    Path, typer.Option("--cache", metavar="DIR", help="Where clips and features are kept between runs.")
]
Kinds = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV file: show, kind; for shows whose manifest has no column kind."),
]
Manifest = Annotated[
    Path, typer.Argument(metavar="MANIFEST", help="CSV file: path, show, group, perhaps source.")
]
Manifests = Annotated[
    list[Path], typer.Argument(metavar="MANIFEST", help="CSV files: path, show, group, perhaps source.")
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished fit.")]


def progress() -> Console:
    """Return the console for progress and remarks: standard error."""
    return Console(stderr=True)


def print_set_aside(console: Console, clips: Clips) -> None:
    """Print a line for each GIF that could not be used."""
    for aside in clips.set_aside:
        line = f"set aside: {aside.row.path}: {aside.message}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def check_recipe(known: Collection[str], *names: str) -> None:
    """Refuse names that are not those of recipes.

    Raises:
        InvalidOptions: one of them is unknown.
    """
    if unknown := sorted(set(names) - set(known)):
        raise InvalidOptions("recipe", expected=f"one of {', '.join(known)}", found=unknown[0])


def check_run(run: Path) -> None:
    """Refuse a folder without a fitted model.

    Raises:
        InvalidRun: there is none.
    """
    if not (run / "model.npz").exists():
        raise InvalidRun(str(run), "there is no fitted model")


def import_tensorflow() -> None:
    """Import TensorFlow without the lines that it writes to standard error while it searches for a GPU."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        importlib.import_module("tensorflow").config.list_physical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
