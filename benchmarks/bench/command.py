"""`python -m benchmarks bench` measures the sections, and writes results.json, the page and the plot.

Each finished section is kept in runs/bench: after an interruption the same command continues behind it.
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

from benchmarks import ROOT
from benchmarks.bench import plot, report, sections
from benchmarks.bench.contenders import Contender, WorkerProcess
from benchmarks.bench.results import NotResults, Results, Section, load, save
from benchmarks.bench.rounds import NoBaseline, run_rounds
from benchmarks.bench.sections import NAMES, WORK, Plan

CANNOT = 2  # exit code: nothing can be measured
INTERRUPTED = 130  # exit code


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Where the three files are written."""

    results: Path
    table: Path
    plot: Path

    @classmethod
    def of(cls, folder: Path | None, *, quick: bool) -> Outputs:
        """Return paths in a folder; by default those of the repository, or runs/bench/quick for a try."""
        if folder is None and not quick:
            docs = ROOT / "docs"
            return cls(ROOT / "benchmarks/results.json", docs / "benchmarks.md", docs / "benchmarks.png")
        folder = folder or WORK / "quick"
        return cls(folder / "results.json", folder / "benchmarks.md", folder / "benchmarks.png")


def bench(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; for figures to quote at least 5.")] = 5,
    only: Annotated[
        list[str] | None, typer.Option(help=f"A section: {', '.join(NAMES)}; repeatable.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A try: few GIFs, into runs/bench/quick.")] = False,
    alone: Annotated[bool, typer.Option("--alone", help="Measure this project without peers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json instead of the table.")] = False,
    work: Annotated[Path, typer.Option(metavar="DIR", help="Folder for intermediate files.")] = WORK,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for all three files.")] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Model file instead of the packaged one.")
    ] = None,
    other_model: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The same model in the other precision, fp32 or int8.")
    ] = None,
) -> None:
    """Measure this project and its peers in turns.

    **Exit codes**: 0 measured, 2 when this project cannot be measured, 130 interrupted.
    """
    terminal = Console(stderr=True)
    for name in only or ():
        if name not in NAMES:
            raise typer.BadParameter(f"there is no section {name}: {', '.join(NAMES)}", param_hint="--only")
    for path in (model, other_model):
        if path is not None and not path.is_file():
            raise typer.BadParameter(f"there is no file {path}")
    plan = Plan(
        rounds=rounds,
        quick=quick,
        other_model=other_model and other_model.resolve(),
        work=work.resolve(),
        peers=not alone,
    )
    if model is not None:
        plan = dataclasses.replace(plan, model=model.resolve())
    chosen = tuple(name for name in NAMES if not only or name in only)
    try:
        results = measure(plan, chosen, Outputs.of(out, quick=quick), terminal=terminal)
    except NoBaseline as error:
        terminal.print(f"error: this project itself cannot be measured: {error}", highlight=False)
        raise typer.Exit(CANNOT) from error
    except KeyboardInterrupt:
        terminal.print("interrupted; the same command continues after the sections that are finished")
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(results.to_json().rstrip() if as_json else report.tables(results))


def measure(plan: Plan, chosen: tuple[str, ...], outputs: Outputs, *, terminal: Console) -> Results:
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
    kept = dict(_earlier(unfinished).sections)
    for name in chosen:
        question = sections.question(name, plan)
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
    """Write results.json, then page and plot from what it now holds; return that."""
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

        def start(contender: Contender) -> WorkerProcess:
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
        question.name, question.key(plan), plan.rounds, plan.quick, question.items, entries, absent
    )


def _earlier(path: Path) -> Results:
    """Results of an earlier run; empty if the file is missing or invalid."""
    try:
        return load(path)
    except NotResults:
        return Results(cores=0, python="", measured="")
