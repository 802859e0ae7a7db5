"""`gif-analyzer sort`: puts the GIFs of a folder into folders by show, and undoes that."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from gateway.answer import reason_json, tally_key, tally_text, verdict_json
from gateway.commands.options import Library, Model, open_pipeline, read_settings
from gateway.commands.terminal import FAILED, INTERRUPTED, complain, printable, usage_errors
from gateway.files import find_gifs, read_gif
from gateway.sorting import LEVELS, How, Sorting, open_sorting, target_of, undo
from services.errors import AnalyzerError, UnreadableFile
from services.inference import Level, Verdict
from services.names import name_text
from services.terminal import Json, report
from services.workers import map_ahead


def sort(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Folder that is searched for GIFs.")
    ] = None,
    *,
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder that gets a folder for each show.")],
    how: Annotated[
        How, typer.Option(help="Copy the files, give each a second name (no room is taken), or move them.")
    ] = "copy",
    at_least: Annotated[
        Level, typer.Option(help="The least sure answer that is sorted; other GIFs stay where they are.")
    ] = "show",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    take_back: Annotated[
        bool, typer.Option("--undo", help="Take the latest run into this folder back.")
    ] = False,
    as_json: Json = False,
    model: Model = None,
    library: Library = None,
) -> None:
    """Sort a folder of GIFs by show: copy, link or move them into a folder for each.

    By default only GIFs of which one show is named are sorted, and they are copied. With `--at-least one_of`
    those between two or three shows get a folder such as *Friends or Seinfeld*, with `kind` those whose kind
    of picture is known, with `unknown` all. No file is ever overwritten, and a run that is interrupted leaves
    no half of a file: start it again, or undo it.

    With --json one object tells every file: `files` has its `source`, its `target` where it was put or would
    be put, and its `verdict` or `error`. With --undo, `kept` has the files that could not be taken back.

    **Examples**

        gif-analyzer sort gifs/ --into sorted/ --dry-run

        gif-analyzer sort gifs/ --into sorted/ --how move --at-least one_of

        gif-analyzer sort gifs/ --into sorted/ --library my.library

        gif-analyzer sort --into sorted/ --undo

    **Exit codes**: 0 when every GIF was read and put in its place, 1 when any failed or could not be taken
    back, 2 when the command could not run, 130 when interrupted.

    **Settings** from the environment: GIF_ANALYZER_MODEL, GIF_ANALYZER_LIBRARY, GIF_ANALYZER_EARLY_EXIT
    and the limits, as for `identify`.
    """
    if take_back:
        if folder is not None or dry_run:
            raise typer.BadParameter("--undo takes --into alone", param_hint="--undo")
        _undo(into, as_json=as_json)
        return
    if folder is None:
        raise typer.BadParameter("name the folder of GIFs", param_hint="FOLDER")
    with usage_errors():
        if not folder.is_dir():
            raise UnreadableFile(str(folder), "there is no such folder")
        sources = [source for source in find_gifs(str(folder)) if not _is_sorted(source, folder, into)]
        settings = read_settings(model, library=library)
        pipeline = open_pipeline(settings, None, None, gifs=len(sources))

    def classify(source: str) -> tuple[str, bytes, Verdict | AnalyzerError]:
        try:
            gif = read_gif(source, max_bytes=settings.budget.max_bytes, regular=True)
            return source, gif, pipeline.identify(gif, 1).verdict
        except AnalyzerError as error:
            return source, b"", error

    console = Console(stderr=True)
    with (
        usage_errors(),
        contextlib.nullcontext() if dry_run else open_sorting(into) as sorting,
        Progress(console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        run = _Run(into, how, LEVELS[: LEVELS.index(at_least) + 1], sorting, quiet=as_json)
        classified = map_ahead(classify, sources, threads=os.cpu_count() or 1)
        try:
            for each in bar.track(classified, total=len(sources), description="GIFs"):
                run.add(*each)
        except KeyboardInterrupt:
            bar.stop()
            complain(
                f"interrupted after {len(run.files):,} GIFs; start it again, or take it back with --undo"
            )
            raise typer.Exit(INTERRUPTED) from None
    report(as_json, run.summary(), run.text())
    if run.failed:
        raise typer.Exit(FAILED)


class _Run:
    """One run: puts each GIF in its place, or says where that would be, and counts.

    Args:
        into: the folder that is sorted into.
        how: what is done with a GIF.
        levels: of the verdicts that are sorted.
        sorting: does it; None only says what would be done.
        quiet: whether nothing is printed.
    """

    def __init__(
        self, into: Path, how: How, levels: tuple[Level, ...], sorting: Sorting | None, *, quiet: bool
    ) -> None:
        self.failed = 0
        self.files: list[dict[str, Any]] = []
        self._into, self._how, self._levels = into, how, levels
        self._sorting, self._quiet = sorting, quiet
        self._sorted, self._left = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        self._there = 0
        self._planned: dict[Path, str] = {}

    def add(self, source: str, gif: bytes, found: Verdict | AnalyzerError) -> None:
        """Put one GIF where its verdict says, or note why it stays; `found` is its verdict or its error."""
        file: dict[str, Any] = {"source": name_text(source)}
        self.files.append(file)
        try:
            if isinstance(found, AnalyzerError):
                raise found
            file["verdict"] = verdict_json(found)
            if found.level not in self._levels:
                self._left[tally_key(found)] += 1
            elif (target := self._place(source, gif, found)) is None:
                self._there += 1
            else:
                self._sorted[tally_key(found)] += 1
                file["target"] = name_text(str(target))
        except AnalyzerError as error:
            self.failed += 1
            file["error"] = reason_json(error)
            if not self._quiet:
                complain(f"{name_text(source)}: {error.message}")

    def _place(self, source: str, gif: bytes, verdict: Verdict) -> Path | None:
        if self._sorting is not None:
            return self._sorting.put(self._how, source, gif, verdict)
        sha256 = hashlib.sha256(gif).hexdigest()
        target = target_of(self._into, verdict, source, sha256, taken=self._planned)
        if target is not None:
            self._planned[target] = sha256
            if not self._quiet:
                typer.echo(printable(f"{self._how} {name_text(source)} -> {name_text(str(target))}"))
        return target

    def summary(self) -> dict[str, Any]:
        """Return the result for programs."""
        return {
            "into": name_text(str(self._into)),
            "how": self._how,
            "dry_run": self._sorting is None,
            "sorted": self._sorted.total(),
            "there_already": self._there,
            "left": self._left.total(),
            "failed": self.failed,
            "files": self.files,
        }

    def text(self) -> str:
        """Return the result for people."""
        into = name_text(str(self._into))
        done = self._sorting is not None
        begin = f"sorted into {into}" if done else "nothing was done; it would sort"
        lines = [f"{begin}: {tally_text(self._sorted)}"]
        if self._there:
            lines.append(f"  there already: {self._there:,}")
        if self._left:
            lines.append(f"  left where they are: {tally_text(self._left)}")
        if self.failed:
            lines.append(f"  failed: {self.failed:,}")
        if self._sorted and done:
            lines.append(f"  to take it back: gif-analyzer sort --into {into} --undo")
        return "\n".join(map(printable, lines))


def _is_sorted(source: str, folder: Path, into: Path) -> bool:
    """Whether a GIF lies in the folder that is sorted into, if that is a part of the searched one."""
    inside = into.resolve() != folder.resolve() and into.resolve().is_relative_to(folder.resolve())
    return inside and Path(source).parent.resolve().is_relative_to(into.resolve())


def _undo(into: Path, *, as_json: bool) -> None:
    with usage_errors():
        files, kept = undo(into)
    if not as_json:
        for path, why in kept:
            complain(f"{path} stays: {why}")
    report(
        as_json,
        {
            "into": name_text(str(into)),
            "taken_back": files,
            "kept": [{"target": path, "why": why} for path, why in kept],
        },
        f"{files:,} files were taken back" + (f", {len(kept):,} stay" if kept else ""),
    )
    if kept:
        raise typer.Exit(FAILED)
