"""What every command shares with the terminal: options, progress, **one answer**."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

# TensorFlow reads this when it is first imported: by the commands, after their input was found good.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CACHE = Path("runs/cache")

CacheDir = Annotated[
    Path, typer.Option("--cache", metavar="DIR", help="Where clips and features are kept between runs.")
]
Kinds = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV file: show, kind; for shows whose manifest has no column kind."),
]


def progress() -> Console:
    """The console for progress and remarks: standard error."""
    return Console(stderr=True)


def import_tensorflow() -> None:
    """Import TensorFlow without the lines it writes past every logger while it looks for a GPU."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        importlib.import_module("tensorflow").config.list_physical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
