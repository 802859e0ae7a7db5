"""The reference of a version: what its answers are like, to compare those of production with.

It is a `services.inference.answers.Summary` in JSON, a file of the version's run. `gif-deliver drift` reads
it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from services.inference import Answer, Classifier, Summary
from training.data.clips import Clips
from training.errors import DamagedModel, NotRegistered
from training.files import write_json
from training.registry.versions import MODEL, Registry, Version

FOLDER, FILE = "reference", "reference.json"  # of a run


def answer_held_out(model: Path, clips: Clips, *, console: Console | None = None) -> Summary:
    """Summarise the answers of a model to clips that it did not learn from.

    Formats, errors and latency are left out: they are not those of users.

    Args:
        model: ONNX file.
        clips: decoded.
        console: shows progress; None is silent.

    Raises:
        ModelError: the file is not a model of the contract, or fails on a clip.
    """
    classifier = Classifier(model)
    indices = range(len(clips.rows))
    watched = track(indices, "answering", console=console, transient=True) if console else indices
    answers = []
    for index in watched:
        start = time.perf_counter()
        scores, verdict = classifier.score(np.array(clips.frames(index)))
        answers.append(
            Answer(
                request_id="",
                interface="held out",
                duration_ms=round(1000 * (time.perf_counter() - start), 1),
                model_version=classifier.model.version,
                verdict=verdict.level,
                names=verdict.names,
                familiarity=round(float(scores.familiarity), 2),
            )
        )
    return Summary.of(answers, model_version=classifier.model.version, source="held-out GIFs")


def write_reference(registry: Registry, version: Version, reference: Summary) -> None:
    """Store the reference of a version, in place of the one before.

    Raises:
        NotRegistered: no run registered the version.
        RegistryError: a call to MLflow failed.
    """
    if not version.run_id:
        raise NotRegistered(MODEL, f"run of version {version.number}")
    with tempfile.TemporaryDirectory() as folder, registry.errors():
        file = Path(folder) / FILE
        write_json(file, reference.to_json())
        registry.client.log_artifact(version.run_id, str(file), FOLDER)


def read_reference(registry: Registry, version: Version) -> Summary:
    """Return the reference of a version.

    Raises:
        NotRegistered: the version has none.
        DamagedModel: the file is no reference.
        RegistryError: a call to MLflow failed.
    """
    missing = NotRegistered(
        MODEL, f"reference of version {version.number}", hint="gif-train reference --answers sets one"
    )
    if not version.run_id:
        raise missing
    path = f"{FOLDER}/{FILE}"
    with registry.errors():
        stored: list[Any] = registry.client.list_artifacts(version.run_id, FOLDER)
        if path not in {each.path for each in stored}:
            raise missing
        with tempfile.TemporaryDirectory() as folder:
            got = registry.client.download_artifacts(version.run_id, path, folder)
            text = Path(got).read_text(encoding="utf-8")
    try:
        return Summary.from_json(text)
    except ValueError as error:
        raise DamagedModel(MODEL, version.number, f"its reference cannot be read: {error}") from error
