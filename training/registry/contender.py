"""Models on the same clips: **files, Clips** -> services.inference -> **EvaluationSet, Contenders**."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from services.inference import Classifier
from training.data.clips import Clips
from training.errors import InvalidManifest
from training.registry.versions import sha256_of


@dataclass(frozen=True, eq=False)
class Contender:
    """One model, and what it answered.

    Attributes:
        version: number in the registry.
        model_version: that the file carries.
        sha256: of the file.
        size_bytes: of the file.
        training_data_sha256: that the file carries.
        probabilities: float [clip, show], columns as in `EvaluationSet.shows`; 0 for a show it does not know.
        known: bool [clip], whether it said that it knows the clip.
        latency_ms: [clip], of each answer alone.
    """

    version: str
    model_version: str
    sha256: str
    size_bytes: int
    training_data_sha256: str
    probabilities: NDArray[np.float64]
    known: NDArray[np.bool_]
    latency_ms: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """The clips that both answer.

    Attributes:
        evaluation_sha256: digest of the evaluation set, see `training.data.clips.Clips.digest`.
        shows: titles that any of the models knows, in the order of the columns.
        labels: int [clip], places among the shows.
        groups: [clip], names of scenes.
        remarks: what a reader must know of the set.
    """

    evaluation_sha256: str
    shows: tuple[str, ...]
    labels: NDArray[np.intp]
    groups: NDArray[np.str_]
    remarks: tuple[str, ...] = ()


def examine(
    models: Sequence[tuple[str, Path]], clips: Clips, *, console: Console | None = None
) -> tuple[EvaluationSet, list[Contender]]:
    """Let models answer the same clips, one clip at a time, in turn, so that their latencies compare.

    Clips of shows that none of the models knows are left out, and said so.

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
    columns = [[shows.index(show) for show in classifier.shows] for classifier in classifiers]
    probabilities = np.zeros((len(models), len(chosen), len(shows)))
    known = np.zeros((len(models), len(chosen)), bool)
    latency_ms = np.zeros((len(models), len(chosen)))
    for classifier in classifiers:
        classifier.run(clips.frames(chosen[0])[np.newaxis])  # the first call of a session is slower
    watched = track(chosen, "answering", console=console, transient=True) if console else chosen
    for place, index in enumerate(watched):
        frames = np.array(clips.frames(index))
        for number, classifier in enumerate(classifiers):
            start = time.perf_counter()
            seen, verdict = classifier.score(frames)
            latency_ms[number, place] = 1000 * (time.perf_counter() - start)
            probabilities[number, place, columns[number]] = seen.probabilities
            known[number, place] = verdict.known
    rows = [clips.rows[index] for index in chosen]
    asked = EvaluationSet(
        evaluation_sha256=clips.digest,
        shows=shows,
        labels=np.array([shows.index(row.show) for row in rows]),
        groups=np.array([row.group for row in rows]),
        remarks=tuple(_remarks(clips, shows)),
    )
    contenders = [
        Contender(
            version=version,
            model_version=classifier.model.version,
            sha256=sha256_of(path),
            size_bytes=path.stat().st_size,
            training_data_sha256=classifier.model.training_data_sha256,
            probabilities=probabilities[number],
            known=known[number],
            latency_ms=latency_ms[number],
        )
        for number, ((version, path), classifier) in enumerate(zip(models, classifiers, strict=True))
    ]
    return asked, contenders


def _remarks(clips: Clips, shows: Sequence[str]) -> list[str]:
    remarks = []
    strange = sorted(set(clips.shows) - set(shows))
    if strange:
        count = sum(row.show in strange for row in clips.rows)
        remarks.append(f"{count} clips are left out, no model knows their shows: {', '.join(strange)}.")
    if clips.set_aside:
        names = ", ".join(sorted(each.row.path.name for each in clips.set_aside))
        remarks.append(f"{len(clips.set_aside)} GIFs cannot be read and are left out: {names}.")
    return remarks
