"""The command that watches: drift."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from delivery.answers import STDIN, read_cloudwatch, read_logs
from delivery.candidate import fetch_reference
from delivery.commands.outputs import Outputs, write_outputs
from delivery.errors import InvalidAnswers, TooFewAnswers
from services.errors import os_reason
from services.inference.answers import Answer, Summary
from services.reading import read_text
from services.terminal import Json
from services.terminal import report as print_report

if TYPE_CHECKING:
    from delivery.drift import Drift

DRIFTED = 1
KEPT_DAYS = 7.0  # that Terraform lets the function's log be kept


def drift(
    logs: Annotated[
        list[Path] | None, typer.Argument(metavar="[LOG]…", help="Files of the log; - is standard input.")
    ] = None,
    *,
    function: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A function in AWS Lambda, whose log is read instead of files."),
    ] = None,
    days: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="N", help="Only the last days: 7 of a function, all of files."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of gif-train reference, or a log, instead of the registry's."),
    ] = None,
    registry: Annotated[
        str, typer.Option(metavar="WHICH", help="Version or alias whose reference the registry has.")
    ] = "champion",
    alpha: Annotated[
        float,
        typer.Option(min=1e-6, max=0.5, metavar="P", help="Chance of an alarm without a change."),
    ] = 0.01,
    page: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write an HTML page as well.")
    ] = None,
    outputs: Outputs = None,
    as_json: Json = False,
) -> None:
    """Compare the answers in a log with the reference of their model.

    The log is that of `gif-analyzer serve`, `python -m services` or the function. Compared are verdicts,
    shows, familiarity, formats, errors and latency; docs/drift.md describes the tests.

    **Examples**

        gif-deliver drift --function gif-analyzer-prod --report drift.html

        gif-deliver drift gateway.log --days 7

        gif-deliver drift this-week.log --reference first-week.log

    **Exit codes**: 0 when there is no drift, 1 when there is, 2 when the command could not run: no access,
    too few answers, or no reference.
    """
    if bool(logs) == (function is not None):
        raise typer.BadParameter("name files of a log, or a function", param_hint="LOG, --function")
    # SciPy takes a second to load.
    from delivery.drift import LEAST_ANSWERS, compare  # noqa: PLC0415
    from delivery.drift_report import conclusion, table, write_page  # noqa: PLC0415

    expected = _read_reference(reference, registry)
    if function is not None:
        source = function
        answers = list(read_cloudwatch(function, days=days or KEPT_DAYS))
    else:
        source = ", ".join("standard input" if path == STDIN else str(path) for path in logs or ())
        answers = list(read_logs(logs or (), days=days))
    window = Summary.of(answers, model_version=expected.model_version, source=source)
    if window.answers < LEAST_ANSWERS:
        raise _too_few(window, answers, least=LEAST_ANSWERS)
    found = compare(expected, window, alpha=alpha)
    if page is not None:
        write_page(found, page)
    write_outputs(outputs, {"drifted": json.dumps(bool(found.drifted)), "conclusion": conclusion(found)})
    print_report(as_json, _plain(found, conclusion(found)), table(found))
    if found.drifted:
        raise typer.Exit(DRIFTED)


def _read_reference(path: Path | None, which: str) -> Summary:
    """Read the reference from a file, or from the registry.

    Raises:
        InvalidAnswers: the file is neither a reference nor a log with answers of one model.
        FailedStep: the registry has none, or cannot be reached.
    """
    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            return _read_reference(fetch_reference(which, Path(folder) / "reference.json"), which)
    try:
        return Summary.from_json(read_text(path))
    except OSError as error:
        raise InvalidAnswers(str(path), f"it cannot be read: {os_reason(error)}") from error
    except ValueError as error:  # perhaps a log, which may be of any length
        answers = list(read_logs([path]))
        versions = sorted({answer.model_version for answer in answers if answer.error is None})
        if len(versions) != 1:
            why = f"it has answers of {', '.join(versions)}" if versions else str(error)
            raise InvalidAnswers(str(path), f"a reference is of one model: {why}") from error
        return Summary.of(answers, model_version=versions[0], source=str(path))


def _too_few(window: Summary, answers: list[Answer], *, least: int) -> TooFewAnswers:
    others = Counter(
        answer.model_version
        for answer in answers
        if answer.error is None and not answer.kept and answer.model_version != window.model_version
    )
    named = ", ".join(f"{version} ({count:,})" for version, count in others.most_common(5))
    return TooFewAnswers(window.source, window.model_version, found=window.answers, least=least, others=named)


def _plain(found: Drift, text: str) -> dict[str, Any]:
    return {
        "drifted": list(found.drifted),
        "conclusion": text,
        "model_version": found.window.model_version,
        "answers": found.window.answers,
        "reference_answers": found.reference.answers,
        "reference": found.reference.source,
        "alpha": found.alpha,
        "aspects": [
            {
                "name": aspect.name,
                "test": aspect.test,
                "change": round(aspect.change, 4),
                "p_value": aspect.p_value,
                "drifted": aspect.drifted,
                "note": aspect.note,
                "moved": [[name, round(before, 4), round(now, 4)] for name, before, now in aspect.moved()],
            }
            for aspect in found.aspects
        ],
    }
