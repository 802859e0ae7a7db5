"""Runs models on the same clips, for the gate to compare their answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from services.inference import Classifier
from training.data.clips import Clips
from training.errors import InvalidManifest
from training.files import sha256_of


@dataclass(frozen=True, eq=False)
class Contender:
    """A model with its answers.

    Attributes:
        version: number in the registry.
        sha256: of the file.
        size_bytes: of the file.
        training_data_sha256: from the file's metadata.
        probabilities: float [clip, show], columns as in `EvaluationSet.shows`; 0 for a show it does not know.
        known: bool [clip], whether it recognised the clip as one of its shows.
        latency_ms: float [clip], of one clip at a time.
    """

    version: str
    sha256: str
    size_bytes: int
    training_data_sha256: str
    probabilities: NDArray[np.float64]
    known: NDArray[np.bool_]
    latency_ms: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """The clips that the models answer.

    Attributes:
        sha256: digest of the evaluation set, see `training.data.clips.Clips.digest`.
        shows: titles that any of the models knows, in the order of the columns.
        labels: int [clip], indices of the shows.
        groups: str [clip], names of scenes.
        remarks: on clips that were left out.
    """

    sha256: str
    shows: tuple[str, ...]
    labels: NDArray[np.intp]
    groups: NDArray[np.str_]
    remarks: tuple[str, ...] = ()


def examine(
    models: Sequence[tuple[str, Path]], clips: Clips, *, console: Console | None = None
) -> tuple[EvaluationSet, list[Contender]]:
    """Run models on the same clips, taking turns on each clip, so that their latencies are comparable.

    Clips of shows that none of the models knows are left out, with a remark.

    Args:
        models: number in the registry and file of each.
        clips: decoded.
        console: shows progress; None is silent.

    Raises:
        InvalidManifest: none of the models knows any of the shows.
        ModelError: a file is not a model of the contract, or fails on a clip.
    """
    classifiers = [Classifier(path) for _, path in models]
    shows = tuple(dict.fromkeys(show for classifier in classifiers for show in classifier.shows))
    chosen = [index for index, row in enumerate(clips.rows) if row.show in shows]
    if not chosen:
        raise InvalidManifest("manifest", f"no model knows any of its shows: {', '.join(clips.shows)}")
    contenders = [
        Contender(
            version=version,
            sha256=sha256_of(path),
            size_bytes=path.stat().st_size,
            training_data_sha256=classifier.model.training_data_sha256,
            probabilities=np.zeros((len(chosen), len(shows))),
            known=np.zeros(len(chosen), bool),
            latency_ms=np.zeros(len(chosen)),
        )
        for (version, path), classifier in zip(models, classifiers, strict=True)
    ]
    columns = [[shows.index(show) for show in classifier.shows] for classifier in classifiers]
    for classifier in classifiers:
        classifier.run(clips.frames(chosen[0])[np.newaxis])  # the first call of a session is slower
    watched = track(chosen, "answering", console=console, transient=True) if console else chosen
    for place, index in enumerate(watched):
        frames = np.array(clips.frames(index))
        for classifier, contender, column in zip(classifiers, contenders, columns, strict=True):
            start = time.perf_counter()
            seen, verdict = classifier.score(frames)
            contender.latency_ms[place] = 1000 * (time.perf_counter() - start)
            contender.probabilities[place, column] = seen.probabilities
            contender.known[place] = verdict.known
    rows = [clips.rows[index] for index in chosen]
    evaluation = EvaluationSet(
        sha256=clips.digest,
        shows=shows,
        labels=np.array([shows.index(row.show) for row in rows]),
        groups=np.array([row.group for row in rows]),
        remarks=tuple(_remarks(clips, shows)),
    )
    return evaluation, contenders


def _remarks(clips: Clips, shows: Sequence[str]) -> Iterator[str]:
    unknown = sorted(set(clips.shows) - set(shows))
    if unknown:
        count = sum(row.show in unknown for row in clips.rows)
        yield f"{count} clips are left out, no model knows their shows: {', '.join(unknown)}."
    if clips.set_aside:
        names = ", ".join(sorted(each.row.path.name for each in clips.set_aside))
        yield f"{len(clips.set_aside)} GIFs cannot be read and are left out: {names}."
