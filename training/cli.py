"""The program `gif-train`: its commands, errors and exit codes.

Exit codes: 0 done, 1 the data or the work failed, 2 usage or settings, 75 a quota is used up for now,
130 interrupted.
"""

from __future__ import annotations

import logging
import sys

from services.errors import AnalyzerError
from services.extras import advice
from services.process import keep_freed_memory
from services.terminal import program
from training.commands.all import train_all
from training.commands.collect import collect, cut, regroup
from training.commands.compare import compare
from training.commands.evaluate import effort, evaluate, footage, teaching
from training.commands.export import export
from training.commands.fit import fit
from training.commands.library import library
from training.commands.measure import measure
from training.commands.prepare import prepare
from training.commands.publish import card, publish
from training.commands.reference import reference
from training.commands.registry import promote, pull, register, rollback, status
from training.commands.review import feedback, review
from training.errors import InvalidOptions, QuotaExhausted, TrainingError

FAILED, USAGE, INTERRUPTED = 1, 2, 130
TRY_LATER = 75  # EX_TEMPFAIL of sysexits.h
RESUMABLE = (
    "all",
    "collect",
    "effort",
    "evaluate",
    "fit",
    "teaching",
    "footage",
)  # commands that keep what they finished

app = program("gif-train", "Train a model that names the show of a GIF.")

app.command("all")(train_all)
for command in (
    collect,
    cut,
    regroup,
    library,
    prepare,
    fit,
    measure,
    evaluate,
    effort,
    teaching,
    footage,
    export,
    feedback,
):
    app.command()(command)
for of_registry in (register, compare, promote, rollback, pull, status, reference, card, publish):
    app.command(rich_help_panel="Registry")(of_registry)
app.add_typer(review, name="review")


def main() -> None:
    """Run the program; an error of the project is one line on standard error."""
    keep_freed_memory()
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        app(prog_name="gif-train")
    except (TrainingError, AnalyzerError) as error:
        sys.stderr.write(f"error: {error.message}\n")
        raise SystemExit(_exit_code(error)) from None
    except ModuleNotFoundError as error:
        what_to_do = advice(error.name or "", takes="train")
        if what_to_do is None:
            raise
        sys.stderr.write(f"error: {what_to_do}\n")
        raise SystemExit(USAGE) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:  # how Typer reports KeyboardInterrupt
            resumable = sys.argv[1:2] and sys.argv[1] in RESUMABLE
            rest = "continues from here" if resumable else "starts again"
            sys.stderr.write(f"interrupted; the same command {rest}\n")
        raise


def _exit_code(error: TrainingError | AnalyzerError) -> int:
    if isinstance(error, QuotaExhausted):
        return TRY_LATER
    return USAGE if isinstance(error, InvalidOptions) else FAILED
