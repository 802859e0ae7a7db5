"""`gif-train compare`: judges the challenger beside the champion, and records the verdict."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from services.terminal import Json, report
from training.commands.registry import open_registry
from training.commands.terminal import CACHE, CacheDir, progress
from training.data.clips import load_clips
from training.data.manifest import read_manifests
from training.errors import MissingPackage

REFUSED = 1


def compare(
    manifests: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[MANIFEST]…", help="The evaluation set: GIFs that neither model learned from."
        ),
    ] = None,
    *,
    shadow: Annotated[
        list[Path] | None,
        typer.Option(metavar="LOG", help="Instead: a log of servers that asked a challenger as well."),
    ] = None,
    options: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML or JSON of margins, alone or under `gate`."),
    ] = None,
    cache: CacheDir = CACHE,
    as_json: Json = False,
) -> None:
    """Judge the challenger beside the champion on the same clips, and record the verdict.

    The verdict is printed as Markdown. Exit code 0: it passes; 1: it does not.

    With --shadow, nothing is judged or recorded: it prints how often the challenger agreed with what users
    got, and how long both took. GIFs of users have no labels, so it does not say which of them was right.

    **Examples**

        gif-train compare evaluation.csv

        gif-train compare evaluation.csv --options params.yaml --json

        gif-train compare --shadow gateway.log
    """
    if bool(manifests) == bool(shadow):
        raise typer.BadParameter("name an evaluation set, or a log", param_hint="MANIFEST, --shadow")
    if shadow:
        from training.registry.shadow import measure_shadow, read_shadow

        found = measure_shadow(read_shadow(shadow))
        report(as_json, found.to_json(), found.markdown())
        return
    rows = read_manifests(manifests or [])
    try:
        from training.registry.contender import examine
        from training.registry.gate import GateOptions, judge
    except ImportError as error:
        raise MissingPackage(error.name or "a package", extra="gate") from None
    from training.registry.promotion import Record, record_verdict
    from training.registry.versions import CHALLENGER, CHAMPION

    chosen = GateOptions.read(options) if options else GateOptions()
    console = progress()
    registry = open_registry()
    challenger, champion = registry.version(CHALLENGER), registry.find(CHAMPION)
    clips = load_clips(rows, cache, console=console)
    with tempfile.TemporaryDirectory() as folder:
        models: list[tuple[str, Path]] = []
        for each in (challenger, *([champion] if champion else [])):
            path = Path(folder) / f"{len(models)}.onnx"
            with console.status(f"fetching version {each.number}"):
                registry.pull(each, path)
            models.append((each.number, path))
        evaluation, contenders = examine(models, clips, console=console)
    record = Record.of(champion) if champion else None
    with console.status("computing intervals"):
        verdict = judge(
            evaluation,
            contenders[0],
            contenders[1] if champion else None,
            options=chosen,
            champion_evaluation_sha256=record.evaluation_sha256 if record else "",
        )
    record_verdict(registry, verdict)
    report(as_json, verdict.to_json(), verdict.markdown())
    if not verdict.passed:
        raise typer.Exit(REFUSED)
