"""The command that makes a library of known clips from a manifest: `gif-train library`."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from services.clip import CLIP_FRAMES
from services.errors import AnalyzerError
from services.inference import Classifier, default_model_path
from services.inference.library import KnownClip, Library, add_clips
from services.preprocess import Budget, decode_gif
from services.reading import read_gif
from services.terminal import Json, report
from training.commands.terminal import Manifest, progress
from training.data.manifest import Row, read_manifest
from training.errors import InvalidManifest
from training.files import relative_path

WRITE_EVERY_S = 30.0  # what is computed meanwhile is lost if the command is killed
_FAILED = 1


def library(
    manifest: Manifest,
    *,
    file: Annotated[Path, typer.Option("--library", metavar="FILE", help="The library file.")],
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Model file, instead of the packaged one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add the GIFs of a manifest to a library of known clips, or make it.

    The library names a GIF by its `id` in the manifest, such as Giphy's, or else by its path. Times are those
    of the video where `gif-train cut` wrote the manifest. GIFs that the library has are computed again only
    if they changed: run the same command again to continue an interrupted one. The library holds
    fingerprints and embeddings of the GIFs, never the GIFs.

    **Examples**

        gif-train library runs/shows/manifest.csv --library shows.library

        gif-train cut S01E02.mkv --show Friends --out runs/s01e02

        gif-train library runs/s01e02/manifest.csv --library friends.library

        gif-analyzer identify some.gif --library friends.library

    **Exit codes**: 0 when the library has all GIFs, 1 when any failed, 130 when interrupted.
    """
    rows = _named(manifest)
    classifier = Classifier(model or default_model_path())
    # Also checks that the file can be written, and was made with this model.
    before = add_clips(file, classifier.model, ())
    known = _Known(before)
    console = progress()
    failed, kept, shows, new = 0, 0, Counter[str](), list[KnownClip]()
    written = time.monotonic()
    try:
        for name, row in track(
            rows.items(), "GIFs", console=console, transient=True, disable=not console.is_terminal
        ):
            try:
                gif = read_gif(row.path, most=Budget().max_bytes)
                if known.has(name, row, hashlib.sha256(gif).digest()):
                    kept += 1
                else:
                    clip = decode_gif(gif)
                    new.append(
                        classifier.describe_clip(clip, show=row.show, name=name, offset_ms=row.start_ms)
                    )
                    shows[row.show] += 1
            except AnalyzerError as error:
                failed += 1
                console.print(f"{row.path}: {error.message}", markup=False, highlight=False, soft_wrap=True)
            if time.monotonic() - written > WRITE_EVERY_S:
                add_clips(file, classifier.model, new)
                new, written = [], time.monotonic()
    finally:  # also when interrupted
        found = add_clips(file, classifier.model, new)
    changed = found.sha256 != before.sha256
    report(
        as_json,
        {
            "library": str(file),
            "added": shows.total(),
            "kept": kept,
            "failed": failed,
            "changed": changed,
            "clip_count": len(found),
            "shows": dict(shows),
        },
        f"{file}: {f'{shows.total():,} GIFs added' if changed else 'nothing changed'}, "
        f"{kept:,} were there, {failed:,} failed; "
        f"it has {len(found):,} of {len(found.titles):,} shows",
    )
    if failed:
        raise typer.Exit(_FAILED)


def _named(manifest: Path) -> dict[str, Row]:
    """Read the rows of a manifest by the name that a library gives each.

    Raises:
        InvalidManifest: as `read_manifest`, or two rows have one id.
    """
    named: dict[str, Row] = {}
    for row in read_manifest(manifest):
        name = row.id or relative_path(row.path, manifest.parent)
        if name in named:
            raise InvalidManifest(str(manifest), f"{row.path.name} has the id of {named[name].path.name}")
        named[name] = row
    return named


class _Known:
    """The clips that a library has."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._places = {library.name(place): place for place in range(len(library))}

    def has(self, name: str, row: Row, digest: bytes) -> bool:
        """Whether the library has these bytes by this name, of the same show and the same time of a video."""
        place = self._places.get(name)
        if place is None:
            return False
        # The instants of a clip are the middles of ten equal parts: the first is one half part after the
        # start, the last nine parts after the first. Each is rounded down.
        first, last = (int(self._library.times_ms[place, frame]) for frame in (0, CLIP_FRAMES - 1))
        start_ms = first - (last - first) / (2 * (CLIP_FRAMES - 1))
        return (
            self._library.digests[place].tobytes() == digest
            and self._library.show(place) == row.show
            and abs(start_ms - row.start_ms) < 2
        )
