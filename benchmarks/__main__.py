"""`python -m benchmarks NAME` runs one benchmark; `--help` lists them."""

import typer

from benchmarks.bench.command import bench
from benchmarks.bench.environments import install_all
from benchmarks.studies.batch import batch
from benchmarks.studies.cold_start import cold_start
from benchmarks.studies.early_exit import early_exit
from benchmarks.studies.library import library
from benchmarks.studies.limits import limits
from benchmarks.studies.microbatch import microbatch
from benchmarks.studies.scale import scale
from benchmarks.studies.steps import steps
from benchmarks.studies.wire import wire

app = typer.Typer(
    help="Measure how fast this project is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("install-peers")(install_all)
for command in (bench, steps, wire, early_exit, cold_start, batch, scale, microbatch, library, limits):
    app.command()(command)

if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
