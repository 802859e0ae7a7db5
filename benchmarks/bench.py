"""`make bench`: this project beside its peers -> **results.json, a table, a plot**.

Each section that is finished is kept in runs/bench: an interrupted measurement goes on after it when the same
command is given again. Exit codes: 0 measured, 2 it cannot begin, 130 interrupted.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import platform
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import plot, report, sections
from benchmarks.crew import Contender, Measurable, WorkerProcess
from benchmarks.environments import ROOT
from benchmarks.results import NotResults, Results, Section, load, save
from benchmarks.rounds import NoBaseline, run_rounds
from benchmarks.sections import NAMES, WORK, Plan

CANNOT = 2
INTERRUPTED = 130


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Where the three files go."""

    results: Path
    table: Path
    plot: Path

    @classmethod
    def of(cls, folder: Path | None, *, quick: bool) -> Outputs:
        """The project's own places; a folder if one is named, and for a quick try."""
        if folder is None and not quick:
            return cls(
                ROOT / "benchmarks/results.json", ROOT / "docs/benchmarks.md", ROOT / "docs/benchmarks.png"
            )
        folder = folder or ROOT / "runs/bench/quick"
        return cls(folder / "results.json", folder / "benchmarks.md", folder / "benchmarks.png")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


@app.command()
def bench(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds; figures need at least 5.")] = 5,
    only: Annotated[
        list[str] | None, typer.Option(help=f"A section: {', '.join(NAMES)}; repeatable.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few GIFs, into runs/bench/quick: a try.")] = False,
    alone: Annotated[bool, typer.Option("--alone", help="Measure this project without peers.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure finished sections again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of the table.")] = False,
    work: Annotated[Path, typer.Option(metavar="DIR", help="Folder for what is made on the way.")] = WORK,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for all three files.")] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Model file, not the packaged one.")
    ] = None,
    other_model: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The same model in float32, or in int8 if that is.")
    ] = None,
) -> None:
    """Measure this project and its peers in turns, and write figures with their spread.

    **Examples**

        python -m benchmarks.bench --quick

        python -m benchmarks.bench --only decode --rounds 9

        python -m benchmarks.bench --other-model float32.onnx
    """
    terminal = Console(stderr=True)
    chosen = _chosen(only)
    plan = Plan(rounds=rounds, quick=quick, other_model=other_model, work=work.resolve(), peers=not alone)
    if model is not None:
        plan = dataclasses.replace(plan, model=model.resolve())
    for path in (plan.model, plan.other_model):
        if path is not None and not path.is_file():
            raise typer.BadParameter(f"there is no file {path}")
    outputs = Outputs.of(out, quick=quick)
    try:
        results = measure(plan, chosen, outputs, terminal=terminal, fresh=fresh)
    except NoBaseline as error:
        terminal.print(f"this project itself cannot be measured: {error}", highlight=False)
        raise typer.Exit(CANNOT) from error
    except KeyboardInterrupt:
        terminal.print("interrupted; the same command goes on after the sections that are finished")
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(results.to_json() if as_json else report.tables(results), nl=False)


def measure(
    plan: Plan, chosen: tuple[str, ...], outputs: Outputs, *, terminal: Console, fresh: bool = False
) -> Results:
    """Measure sections that are not finished yet, and write all three files after the last.

    Sections of results.json that were not chosen stay as they are.

    Raises:
        NoBaseline: this project cannot be measured.
    """
    results = dataclasses.replace(
        _earlier(outputs.results),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        measured=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    )
    unfinished = plan.work / "unfinished.json"
    kept = {} if fresh else dict(_earlier(unfinished).sections)
    for name in chosen:
        question = sections.ask(name, plan)
        section = kept.get(name)
        if section is None or section.key != question.key(plan):
            section = _measure(question, plan, terminal)
            kept[name] = section
            save(dataclasses.replace(results, sections=kept), unfinished)
        else:
            terminal.print(f"{name}: measured before the interruption")
        results = results.with_section(section)
    results = write(results, outputs)
    unfinished.unlink(missing_ok=True)
    return results


def write(results: Results, outputs: Outputs) -> Results:
    """Write results.json, and what is derived from it as it stands there; return that."""
    save(results, outputs.results)
    written = load(outputs.results)
    plot.draw(written, outputs.plot)
    report.write(written, outputs.table, plot=outputs.plot.name)
    return written


def _measure(question: sections.Question, plan: Plan, terminal: Console) -> Section:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=terminal, transient=True) as progress:
        task = progress.add_task(question.name, total=len(question.contenders) + plan.rounds)

        def advance(what: str) -> None:
            progress.update(task, advance=1, description=f"{question.name}: {what}")

        def start(contender: Contender) -> Measurable:
            log = "".join(letter if letter.isalnum() else "-" for letter in contender.name)
            return WorkerProcess(contender, plan.work / "logs" / f"{question.name}-{log}.log")

        entries, absent = run_rounds(
            question.contenders,
            question.items,
            rounds=plan.rounds,
            times=question.times,
            start=start,
            advance=advance,
        )
    for name, reason in absent.items():
        terminal.print(f"{question.name}: no {name}: {reason}", highlight=False, markup=False)
    return Section(
        name=question.name,
        key=question.key(plan),
        rounds=plan.rounds,
        quick=plan.quick,
        items=question.items,
        entries=entries,
        absent=absent,
    )


def _earlier(path: Path) -> Results:
    """What a file holds; nothing if it is missing or of another time."""
    try:
        return load(path)
    except NotResults:
        return Results(cores=0, python="", measured="")


def _chosen(only: list[str] | None) -> tuple[str, ...]:
    for name in only or ():
        if name not in NAMES:
            raise typer.BadParameter(f"there is no section {name}: {', '.join(NAMES)}", param_hint="--only")
    return tuple(name for name in NAMES if not only or name in only)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.bench")
