"""`gif-analyzer library`: keeps known clips by show, for `gif-analyzer identify --library`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from gateway.commands.batch import (
    Input,
    Ray,
    S3Endpoint,
    Workers,
    end_batch,
    heed_interrupts,
    show_progress,
)
from gateway.commands.options import Model, read_settings
from gateway.commands.terminal import FAILED, complain, printable, usage_errors
from gateway.files import find_gifs, read_gif
from gateway.settings import silence_libraries
from gateway.thumbnails import Thumbnails, draw_thumbnail
from services.errors import AnalyzerError
from services.inference import Classifier
from services.inference.library import (
    KnownClip,
    Library,
    add_clips,
    check_model,
    find_neighbours,
    update_library,
)
from services.names import name_text
from services.preprocess import decode_gif
from services.terminal import Json, report

ENOUGH = 5  # clips of a show from which on it is found again well: docs/library.md
_WRITTEN = 50  # clips that are computed between two writes, so that an interruption loses no more

library = typer.Typer(help="Keep known clips by show: same footage is found, and new shows are taught.")

KeepThumbnails = Annotated[
    bool, typer.Option("--keep-thumbnails", help="Keep a small picture of each GIF, in a folder beside FILE.")
]
File = Annotated[Path, typer.Option("--library", metavar="FILE", help="The library file.")]


@library.command()
def add(
    show: Annotated[str, typer.Argument(help="Title of the show.")],
    sources: Annotated[list[str], typer.Argument(metavar="FILE|FOLDER", help="GIF files, folders or globs.")],
    *,
    file: File,
    keep_thumbnails: KeepThumbnails = False,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Add GIFs of one show. The library is made if it is missing; a GIF that it has is replaced.

    A show that the model does not know takes part in the ranking from then on; five GIFs are a good start.
    The library holds fingerprints and embeddings of the GIFs, never the GIFs. With --keep-thumbnails, the
    folder my.library.thumbnails has one JPEG file of each, about 160 pixels wide, for the web page.

    **Examples**

        gif-analyzer library add "Severance" clips/*.gif --library my.library

        gif-analyzer identify some.gif --library my.library

    **Exit codes**: 0 when all GIFs were added, 1 when any failed, 2 when the command could not run.
    """
    if not show.strip():
        raise typer.BadParameter("give the title of the show", param_hint="SHOW")
    failed, added, clips, pictures = 0, 0, list[KnownClip](), dict[str, bytes]()
    with usage_errors():
        settings = read_settings(model)
        classifier = Classifier(settings.model, threads=settings.threads)
        before = add_clips(file, classifier.model, ())  # can it be written?
        names = [name for source in sources for name in find_gifs(source)]
        console = Console(stderr=True)
        for name in track(names, "adding", console=console, transient=True):
            try:
                gif = read_gif(name, max_bytes=settings.budget.max_bytes, regular=True)
                clip = decode_gif(gif, budget=settings.budget)
                clips.append(classifier.describe_clip(clip, show=show, name=name_text(name)))
                if keep_thumbnails:
                    pictures[name_text(name)] = draw_thumbnail(clip)
                added += 1
            except AnalyzerError as error:
                failed += 1
                complain(f"{name_text(name)}: {error.message}")
            if len(clips) == _WRITTEN:
                _put(file, classifier, clips, pictures)
        changed = _put(file, classifier, clips, pictures).sha256 != before.sha256
    report(
        as_json,
        {"library": str(file), "show": show, "added": added, "failed": failed, "changed": changed},
        f"{file}: {f'{added:,} GIFs of {printable(show)} added' if changed else 'nothing changed'}",
    )
    if failed:
        raise typer.Exit(FAILED)


@library.command()
def build(
    given: Input,
    *,
    file: File,
    model: Model = None,
    workers: Workers = None,
    ray: Ray = None,
    s3_endpoint: S3Endpoint = None,
    as_json: Json = False,
) -> None:
    """Add many GIFs of many shows, by several processes. The library is made if it is missing.

    INPUT is that of `gif-analyzer batch`. A GIF is of the show that the column `show` of a manifest names.
    Without that column it is of the first folder below INPUT, as in gifs/Severance/some.gif.

    A run that was interrupted or killed continues when it is started again. GIFs that the library has are
    read again, and computed only if their bytes have changed.

    **Examples**

        gif-analyzer library build gifs/ --library my.library

        gif-analyzer library build shows.parquet --library my.library --workers 8

        gif-analyzer library build s3://bucket/gifs/ --library my.library --ray ray://head:10001

    **Exit codes**: 0 when the library has all GIFs, 1 when any failed, 2 when the command could not run, 130
    when interrupted.
    """
    with usage_errors("ray" if ray else "batch"), heed_interrupts() as interrupted:
        settings = read_settings(model)
        silence_libraries()
        from gateway.batch.known import build_library  # noqa: PLC0415 - Daft is an extra

        with show_progress(interrupted) as progress:
            summary = build_library(
                given,
                file,
                settings,
                workers=workers,
                ray=ray,
                s3_endpoint=s3_endpoint,
                progress=progress,
            )
    lines = [
        f"{file}: {f'{summary.added:,} GIFs added' if summary.changed else 'nothing changed'}, "
        f"{summary.kept:,} were there, {summary.failed:,} failed; "
        f"it has {summary.clip_count:,} of {summary.shows:,} shows",
        *(f"  {gifs:,} failed: {reason}" for reason, gifs in summary.reasons.items()),
    ]
    report(
        as_json,
        {"library": str(file), "failed": summary.failed, **dataclasses.asdict(summary)},
        "\n".join(lines),
    )
    end_batch(interrupted, failed=summary.failed)


@library.command("list")
def list_shows(*, file: File, as_json: Json = False) -> None:
    """List the shows of a library, and how many GIFs it has of each.

    **Example**

        gif-analyzer library list --library my.library
    """
    with usage_errors():
        found = Library(file)
    counts = Counter(found.show(clip) for clip in range(len(found)))
    report(
        as_json,
        {"library": str(file), "model": vars(found.model), "clip_count": len(found), "shows": dict(counts)},
        "\n".join(f"{count:>7,}  {printable(show)}" for show, count in counts.items()) or "it is empty",
    )


@library.command()
def remove(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="GIFs, by their names in the library.")
    ] = None,
    *,
    show: Annotated[str | None, typer.Option(help="Remove all GIFs of this show.")] = None,
    file: File,
    as_json: Json = False,
) -> None:
    """Remove GIFs, or a whole show, from a library.

    **Examples**

        gif-analyzer library remove clips/wrong.gif --library my.library

        gif-analyzer library remove --show "Severance" --library my.library
    """
    if not names and show is None:
        raise typer.BadParameter("name GIFs or a --show", param_hint="NAME")
    with usage_errors():
        before = Library(file)
        wanted = set(names or ())
        # First, so that no picture outlives its clip.
        Thumbnails(file).discard(
            before.name(clip)
            for clip in range(len(before))
            if before.show(clip) == show or before.name(clip) in wanted
        )
        left = update_library(
            file,
            before.model,
            lambda clips: [clip for clip in clips if clip.show != show and clip.name not in wanted],
        )
    removed = len(before) - len(left)
    report(
        as_json,
        {"library": str(file), "removed": removed, "clip_count": len(left)},
        f"{file}: {removed:,} GIFs removed, {len(left):,} left",
    )
    if not removed:
        complain("the library has none of these")
        raise typer.Exit(FAILED)


@library.command()
def merge(
    others: Annotated[list[Path], typer.Argument(metavar="FILE", help="Libraries made with one model.")],
    *,
    file: File,
    keep_thumbnails: KeepThumbnails = False,
    as_json: Json = False,
) -> None:
    """Put the GIFs of other libraries into one. Of GIFs of the same name the last one stays.

    With --keep-thumbnails, the thumbnails of the other libraries are copied, where they have any.

    **Example**

        gif-analyzer library merge his.library hers.library --library ours.library
    """
    with usage_errors():
        found = [Library(path) for path in others]
        for each in found[1:]:
            check_model(each, found[0].model)
        new = [clip for each in found for clip in each.clips()]
        merged = add_clips(file, found[0].model, new)
        for each in found:
            names = [each.name(clip) for clip in range(len(each))]
            if keep_thumbnails:
                _put_thumbnails(file, names, Thumbnails(each.path).read)
            else:
                Thumbnails(file).discard(names)  # of earlier GIFs of these names
    report(
        as_json,
        {"library": str(file), "clip_count": len(merged), "shows": len(merged.titles)},
        f"{file}: {len(merged):,} GIFs of {len(merged.titles):,} shows",
    )


@library.command()
def check(*, file: File, model: Model = None, as_json: Json = False) -> None:
    """Check that a library is whole and fits the model, and say which shows are too thin or too alike.

    **Example**

        gif-analyzer library check --library my.library

    **Exit codes**: 0 when all is well, 1 when a show needs more or other GIFs, 2 when the library cannot be
    used.
    """
    with usage_errors():
        settings = read_settings(model)
        found = Library(file)
        check_model(found, Classifier(settings.model).model)
    counts = Counter(found.show(clip) for clip in range(len(found)))
    thin = {show: count for show, count in counts.items() if count < ENOUGH}
    alike = _alike(found)
    lines = [
        f"{printable(show)}: {count} GIF{'s' if count > 1 else ''}; give it {ENOUGH} at least"
        for show, count in thin.items()
    ]
    lines += [
        f"{printable(show)}: most of its GIFs look more like {printable(other)}"
        for show, other in alike.items()
    ]
    report(
        as_json,
        {"library": str(file), "clip_count": len(found), "thin": thin, "alike": alike},
        "\n".join(lines) or f"{file}: {len(found):,} GIFs of {len(counts):,} shows, all well",
    )
    if lines:
        raise typer.Exit(FAILED)


def _put(file: Path, classifier: Classifier, clips: list[KnownClip], pictures: dict[str, bytes]) -> Library:
    """Write clips and their thumbnails to the library, and forget them."""
    found = add_clips(file, classifier.model, clips)
    _put_thumbnails(file, [clip.name for clip in clips], pictures.get)
    clips.clear()
    pictures.clear()
    return found


def _put_thumbnails(file: Path, names: Iterable[str], picture: Callable[[str], bytes | None]) -> None:
    """Write the thumbnails of clips, and remove that of an earlier clip of a name that has none now."""
    thumbnails = Thumbnails(file)
    for name in names:
        if content := picture(name):
            thumbnails.keep(name, content)
        else:
            thumbnails.discard([name])


def _alike(found: Library) -> dict[str, str]:
    """Return the shows of which most GIFs have their nearest other GIF in another show, and that show."""
    nearest: dict[str, Counter[str]] = {}
    for clip in range(len(found)):
        neighbours = find_neighbours(found, np.asarray(found.embeddings[clip]), most=2)
        others = [each for each in neighbours if each.name != found.name(clip)]
        if others:
            nearest.setdefault(found.show(clip), Counter())[others[0].show] += 1
    alike = {}
    for show, counts in nearest.items():
        [(best, count)] = counts.most_common(1)
        if best != show and count * 2 > counts.total() and counts.total() >= ENOUGH:
            alike[show] = best
    return alike
