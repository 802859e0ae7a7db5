"""The commands of the model registry: `gif-train register`, `promote`, `rollback`, `pull` and `status`.

`compare` has a file of its own, because the pipeline's stage `register` depends on all that this one imports.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import rich.box
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.terminal import Json, report
from training.commands.terminal import CACHE, CacheDir, progress

if TYPE_CHECKING:
    from training.registry.promotion import Record
    from training.registry.versions import Registry, Version

PIPED = 160  # characters in a line of a table that is not printed to a terminal
MISSING = "-"


def open_registry() -> Registry:
    """Open the model registry that MLflow's environment variables name."""
    from training.registry.versions import Registry, RegistrySettings

    return Registry(RegistrySettings.from_env())


def register(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="ONNX file of gif-train export.")],
    *,
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the fit: its settings become the run's parameters."),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON file of figures; the PNG files beside it are its plots."),
    ] = None,
    held_out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="MANIFEST",
            help="GIFs that it did not learn from: its answers to them become its reference.",
        ),
    ] = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Register a model file as a new version, and make it the challenger.

    MLFLOW_TRACKING_URI names the registry, by default the file runs/mlflow.db; see docs/registry.md. With the
    reference, `gif-deliver drift` says whether the answers of users differ.

    **Examples**

        gif-train register default.onnx

        gif-train register default.onnx --run runs/default --evaluation docs/evaluation/evaluation.json

        gif-train register default.onnx --held-out evaluation.csv --held-out unknown.csv
    """
    from services.inference import Classifier
    from training.data.clips import load_clips
    from training.data.manifest import read_manifests
    from training.registry.reference import answer_held_out, write_reference
    from training.registry.registration import Candidate
    from training.registry.registration import register as register_model

    candidate = Candidate.gather(model, run, evaluation)
    Classifier(model)  # refuses a file that is no model before anything is sent
    console, reference = progress(), None
    if held_out:
        clips = load_clips(read_manifests(held_out), cache, console=console)
        reference = answer_held_out(model, clips, console=console)
    registry = open_registry()
    with console.status("registering"):
        version = register_model(registry, candidate)
        if reference is not None:
            write_reference(registry, version, reference)
    report(
        as_json,
        {
            "version": version.number,
            "model_version": version.tags["model_version"],
            "sha256": version.sha256,
            "run_id": version.run_id,
            "aliases": list(version.aliases),
            "reference_answers": reference.answers if reference else 0,
        },
        f"{model} is version {version.number}, the challenger; sha256 {version.sha256}",
    )


def promote(
    *,
    force: Annotated[
        str, typer.Option(metavar="REASON", help="Promote although it has not passed; records the reason.")
    ] = "",
    version: Annotated[
        str, typer.Option(metavar="N", help="Refuse if the challenger is another version than this one.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Make the challenger champion; the former champion becomes `previous`.

    Refused unless the challenger passed gif-train compare beside the current champion.

    **Examples**

        gif-train promote

        gif-train promote --version 7

        gif-train promote --force "the champion answers with an error since noon"
    """
    from training.registry.promotion import promote as promote_challenger

    move = promote_challenger(open_registry(), version=version, force=force)
    after = f"after version {move.before}" if move.before else "the first"
    forced = f"; forced: {move.reason}" if move.reason else ""
    report(as_json, dataclasses.asdict(move), f"version {move.champion} is champion, {after}{forced}")


def rollback(
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; recorded with the version.")] = "",
    as_json: Json = False,
) -> None:
    """Make `previous` champion again, and mark the former champion as `rolled_back`.

    **Example**

        gif-train rollback --reason "takes every cartoon for The Simpsons"
    """
    from training.registry.promotion import rollback as roll_back

    move = roll_back(open_registry(), reason=reason)
    report(
        as_json,
        dataclasses.asdict(move),
        f"version {move.champion} is champion again, version {move.before} is rolled back",
    )


def pull(
    which: Annotated[
        str,
        typer.Argument(metavar="[WHICH]", help="champion, challenger, previous, rolled_back or a number."),
    ] = "champion",
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the ONNX file.")],
    as_json: Json = False,
) -> None:
    """Download the model file of a version.

    It is written only when its digest is the registered one and gif-analyzer can use it.

    **Examples**

        gif-train pull --out champion.onnx

        gif-train pull 3 --out third.onnx --json
    """
    registry = open_registry()
    with progress().status(f"fetching {which}"):
        version = registry.version(which)
        classifier = registry.pull(version, out)
    report(
        as_json,
        {
            "path": str(out),
            "version": version.number,
            "aliases": list(version.aliases),
            "model_version": classifier.model.version,
            "sha256": version.sha256,
            "shows": len(classifier.shows),
        },
        f"{out}: version {version.number}, model {classifier.model.version}, {len(classifier.shows)} shows",
    )


def status(*, as_json: Json = False) -> None:
    """List the versions of the model, newest first.

    **Example**

        gif-train status
    """
    from training.registry.promotion import Record
    from training.registry.versions import MODEL

    registry = open_registry()
    judged = [(version, Record.of(version)) for version in registry.versions()]
    if as_json:
        values = {
            "model": MODEL,
            "address": registry.address,
            "aliases": registry.aliases(),
            "versions": [_plain(version, record) for version, record in judged],
        }
        report(as_json, values, "")
    elif not judged:
        typer.echo(f"{MODEL}: nothing is registered at {registry.address}")
    else:
        table = Table(
            title=Text(f"{MODEL} at {registry.address}", style="bold"),
            title_justify="left",
            box=rich.box.SIMPLE_HEAD,
        )
        for heading in ("version", "is", "model", "registered, UTC", "MB", "top-1", "verdict"):
            table.add_column(heading, justify="right" if heading in ("MB", "top-1") else "left")
        for version, record in judged:
            size = version.tags.get("size_bytes", "")
            cells = (
                version.number,
                ", ".join(version.aliases),
                version.tags.get("model_version", MISSING),
                f"{version.created:%Y-%m-%d %H:%M}",
                f"{int(size) / 1e6:.1f}" if size.isdecimal() else MISSING,
                version.tags.get("evaluation_top_1", MISSING),
                _verdict(version, record),
            )
            table.add_row(*map(Text, cells))  # Text: a "[" in a reason is no markup
        Console(width=None if sys.stdout.isatty() else PIPED).print(table)


def _plain(version: Version, record: Record | None) -> dict[str, object]:
    return {
        "version": version.number,
        "aliases": list(version.aliases),
        "registered": version.created.isoformat(),
        "run_id": version.run_id,
        "tags": {name: value for name, value in version.tags.items() if name != "verdict_record"},
        "verdict": dataclasses.asdict(record) if record else None,
    }


def _verdict(version: Version, record: Record | None) -> str:
    parts = []
    if record is not None:
        beside = f" beside {record.champion} {record.change}" if record.champion else " without a champion"
        parts.append(("passed" if record.passed else f"failed ({', '.join(record.failed)})") + beside)
    if "forced" in version.tags:
        parts.append(f"forced: {version.tags['forced']}")
    if "rolled_back" in version.tags:
        parts.append(f"rolled back: {version.tags.get('rolled_back_because', '')}")
    return "; ".join(parts) or "not compared"
