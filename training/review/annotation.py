"""Annotations back into a manifest: **export of Label Studio, manifest** -> corrections -> **new manifest**.

The manifest keeps what it said: a corrected line gets the columns `original_show`, `annotator` and
`annotated_at`. A GIF that a person found to show none of the shows is left out and listed.
"""

from __future__ import annotations

import csv
import datetime
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.manifest import read_manifest
from training.errors import InvalidAnnotations
from training.files import write_csv
from training.review.tasks import CHOICE, NONE_OF_THESE, sha256_of

ADDED = ("original_show", "annotator", "annotated_at")


@dataclass(frozen=True)
class Annotation:
    """What a person said of one GIF.

    Attributes:
        sha256: of the GIF.
        show: title, or `NONE_OF_THESE`.
        annotator: name, address or number, as Label Studio tells it.
        at: when, ISO 8601 in UTC.
    """

    sha256: str
    show: str
    annotator: str
    at: str


@dataclass(frozen=True)
class Corrected:
    """What became of a manifest.

    Attributes:
        confirmed: lines that a person agreed with.
        corrected: lines with another show now.
        left_out: lines of GIFs that show none of the shows.
        strangers: annotations of GIFs that the manifest does not name.
    """

    confirmed: int
    corrected: int
    left_out: int
    strangers: int


def read_annotations(path: Path) -> tuple[Annotation, ...]:
    """Read Label Studio's JSON export; of several annotations of a task the last one counts.

    Tasks that nobody annotated, and annotations that were cancelled, are passed over.

    Raises:
        InvalidAnnotations: the file cannot be read, or is something else.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
        found = [annotation for task in tasks if (annotation := _last(task)) is not None]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InvalidAnnotations(str(path), f"it is no export of Label Studio: {error!r}") from error
    return tuple(found)


def apply_annotations(manifest: Path, annotations: Sequence[Annotation], out: Path) -> Corrected:
    """Write the manifest anew, with what people said.

    Args:
        manifest: to be corrected; it stays as it is unless `out` is the same file.
        annotations: by the digest of the GIF's bytes.
        out: where to write; paths of GIFs are made relative to it.

    Raises:
        InvalidManifest: the manifest cannot be read.
        InvalidAnnotations: a GIF of the manifest cannot be read, or no line would be left.
    """
    rows = read_manifest(manifest)
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns, lines = list(reader.fieldnames or ()), list(reader)
    said = {annotation.sha256: annotation for annotation in annotations}
    counts = {"confirmed": 0, "corrected": 0, "left_out": 0}
    met: set[str] = set()
    kept: list[Mapping[str, str]] = []
    for row, line in zip(rows, lines, strict=True):
        digest = sha256_of(row.path)
        moved = {**line, "path": Path(os.path.relpath(row.path, out.resolve().parent)).as_posix()}
        if (annotation := said.get(digest)) is None:
            kept.append(moved)
            continue
        met.add(digest)
        if annotation.show == NONE_OF_THESE:
            counts["left_out"] += 1
            continue
        agreed = annotation.show == row.show
        counts["confirmed" if agreed else "corrected"] += 1
        kept.append(
            {
                **moved,
                "show": annotation.show,
                "original_show": line.get("original_show") or row.show,
                "annotator": annotation.annotator,
                "annotated_at": annotation.at,
            }
        )
    if not kept:
        raise InvalidAnnotations(str(manifest), "no line would be left")
    names = [*columns, *(name for name in ADDED if name not in columns)]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_csv(out, names, [[line.get(name, "") for name in names] for line in kept])
    return Corrected(**counts, strangers=len(set(said) - met))


def _last(task: Mapping[str, Any]) -> Annotation | None:
    done = [each for each in task["annotations"] if not each.get("was_cancelled") and each["result"]]
    if not done:
        return None
    last = max(done, key=lambda each: str(each.get("updated_at") or each.get("created_at") or ""))
    choices = [part["value"]["choices"][0] for part in last["result"] if part["from_name"] == CHOICE]
    who = last["completed_by"]
    annotator = who.get("email") or who["id"] if isinstance(who, dict) else who
    when = datetime.datetime.fromisoformat(str(last.get("updated_at") or last["created_at"]))
    return Annotation(
        sha256=str(task["data"]["sha256"]),
        show=str(choices[0]),
        annotator=str(annotator),
        at=when.astimezone(datetime.UTC).isoformat(timespec="seconds"),
    )
