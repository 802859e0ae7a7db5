"""The command line of training: **shows, videos** -> collect, cut, fit, evaluate, export -> **a model file**.

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
from training.commands.collect import collect
from training.commands.compare import compare
from training.commands.cut import cut
from training.commands.effort import effort
from training.commands.evaluate import evaluate
from training.commands.export import export
from training.commands.fit import fit
from training.commands.measure import measure
from training.commands.prepare import prepare
from training.commands.promote import promote
from training.commands.pull import pull
from training.commands.register import register
from training.commands.regroup import regroup
from training.commands.review import review
from training.commands.rollback import rollback
from training.commands.status import status
from training.errors import InvalidOptions, QuotaExhausted, TrainingError

FAILED = 1  # the data or the work
USAGE = 2  # the command itself cannot run
LATER = 75  # EX_TEMPFAIL: the same command goes on later
INTERRUPTED = 130
GO_ON = ("all", "collect", "effort", "evaluate", "fit")  # what was done is kept, and the rest follows

app = program("gif-train", "Train a model that names the show of a GIF.")


app.command("all")(train_all)
for command in (collect, cut, regroup, prepare, fit, measure, evaluate, effort, export):
    app.command()(command)
for of_registry in (register, compare, promote, rollback, pull, status):
    app.command(rich_help_panel="Registry")(of_registry)
app.add_typer(review, name="review")


def main() -> None:
    """Run the command line; an error of the family is one line on standard error."""
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
        if end.code == INTERRUPTED:  # Typer's way to say KeyboardInterrupt
            goes_on = sys.argv[1:2] and sys.argv[1] in GO_ON
            rest = "goes on from here" if goes_on else "starts again"
            sys.stderr.write(f"interrupted; the same command {rest}\n")
        raise


def _exit_code(error: TrainingError | AnalyzerError) -> int:
    if isinstance(error, QuotaExhausted):
        return LATER
    return USAGE if isinstance(error, InvalidOptions) else FAILED
