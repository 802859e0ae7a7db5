"""Builds a library of known clips from any input of batch, with the same workers, parts and engines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from daft.io import IOConfig

from gateway.batch.inputs import MANIFESTS, Source, is_stored, list_sources
from gateway.batch.parts import Parts, open_parts
from gateway.batch.run import (
    Progress,
    base_terms,
    choose_engine,
    compute,
    sent_settings,
    store_config,
)
from gateway.batch.schema import CLIPS
from gateway.batch.worker import Describer
from gateway.settings import Settings
from services.clip import CLIP_FRAMES
from services.errors import InvalidArgument, UnreadableFile
from services.inference import Classifier, ModelInfo
from services.inference.library import KnownClip, Library, add_clips, update_library


@dataclass(frozen=True)
class BuildSummary:
    """The result of a run.

    Attributes:
        added: GIFs that were computed.
        kept: GIFs that the library had already.
        reasons: how many failed for each reason, the most frequent first.
        changed: whether the library has other content than before.
        clip_count: GIFs that the library has.
        shows: shows that it has.
    """

    added: int
    kept: int
    reasons: dict[str, int]
    changed: bool
    clip_count: int
    shows: int

    @property
    def failed(self) -> int:
        """Number of sources with an error."""
        return sum(self.reasons.values())


def build_library(
    given: str,
    file: Path,
    settings: Settings,
    *,
    workers: int | None,
    ray: str | None,
    s3_endpoint: str | None,
    progress: Progress,
) -> BuildSummary:
    """Add every GIF of an input to a library, which is made if it is missing.

    The show of a GIF is that of the column `show` of a manifest; else the first folder below a folder or
    prefix, or the folder of a file that a glob finds. A GIF is named by its path or address.

    Args:
        given: the input of `list_sources`.
        file: the library. What is computed is kept beside it until the run ends.
        settings: model, limits, and what may be fetched.
        workers: processes that compute; None is one for each processor of this machine or of the cluster.
        ray: address of a Ray cluster; "local" starts one here; None is Daft's own engine.
        s3_endpoint: address of an S3-compatible store, in place of Amazon's.
        progress: called whenever sources are done, first with none.

    Raises:
        BatchInterrupted: by Ctrl-C; a run with the same options continues from there.
        UnreadableFile: the input cannot be read.
        InvalidArgument: the input does not say the show of each GIF.
        LibraryError: the library cannot be written, or was made with another model.
        ModelError: the model cannot be loaded.
        CannotServe: there is no such Ray cluster.
    """
    model = Classifier(settings.model).model
    before = add_clips(file, model, ())  # says whether it can be written
    io_config = store_config(s3_endpoint)
    with open_parts(file, base_terms(settings), CLIPS) as parts:
        parts.have((before.name(clip), before.digests[clip].tobytes().hex()) for clip in range(len(before)))
        run = choose_engine(Describer, workers, ray, (sent_settings(settings), io_config))
        total = None if is_stored(given) else sum(1 for _ in _with_shows(given, io_config))
        compute(_with_shows(given, io_config), total, parts, run, library=None, progress=progress)
        added, kept, reasons = sum(parts.verdicts().values()), sum(1 for _ in parts.had()), parts.reasons()
        if not added + kept + sum(reasons.values()):
            raise UnreadableFile(given, "it names no GIF")
        library = _write(file, model, parts)
        parts.remove()
    changed = library.sha256 != before.sha256
    return BuildSummary(added, kept, reasons, changed, len(library), len(library.titles))


def _with_shows(given: str, io_config: IOConfig) -> Iterator[Source]:
    """Yield the GIFs of an input with their shows."""
    for source in list_sources(given, io_config):
        show = (source.show or "").strip() or _show_of_folder(given, source.name)
        if not show:
            is_table = given.lower().endswith(MANIFESTS)
            expected = (
                "a manifest with a show for each GIF" if is_table else "a folder with one for each show"
            )
            found = f"one without a show for {source.name}" if is_table else f"one with {source.name} in none"
            raise InvalidArgument("input", expected=expected, found=found)
        yield source._replace(show=show)


def _show_of_folder(given: str, name: str) -> str:
    """Return the first folder below the input, or the folder of a file that a glob found; "" for none."""
    if given.lower().endswith(MANIFESTS):
        return ""
    path, root = PurePosixPath(name), PurePosixPath(given)
    if path.is_relative_to(root):
        below = path.relative_to(root).parts
        return below[0] if len(below) > 1 else ""
    return path.parent.name


def _write(file: Path, model: ModelInfo, parts: Parts) -> Library:
    """Put what was computed into the library, and the shows of the input where it had others."""

    def change(before: list[KnownClip]) -> list[KnownClip]:
        titles = dict(parts.had())
        clips = {
            clip.name: dataclasses.replace(clip, show=titles.get(clip.name, clip.show)) for clip in before
        }
        clips |= {clip.name: clip for clip in _computed(parts)}
        return list(clips.values())

    return update_library(file, model, change)


def _computed(parts: Parts) -> Iterator[KnownClip]:
    """Yield the clips that the parts hold."""
    for rows, shows in parts.rows():
        for row, show in zip(rows.to_pylist(), shows, strict=True):
            if row["error_reason"] is None:
                assert show is not None  # `_with_shows`
                yield KnownClip(
                    show=show,
                    name=row["source"],
                    times_ms=tuple(row["times_ms"]),
                    embedding=np.frombuffer(row["embedding"], np.int8),
                    fingerprints=np.frombuffer(row["fingerprints"], np.uint8).reshape(CLIP_FRAMES, -1),
                    distinct=np.frombuffer(row["distinct"], np.bool_),
                    digest=bytes.fromhex(row["sha256"]),
                )
