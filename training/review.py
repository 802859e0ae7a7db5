"""Exports GIFs for people to review in Label Studio or FiftyOne, and applies their annotations to a manifest.

Both exports contain the GIFs or point to them, so they must stay on this machine, as all footage does.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from services.errors import os_reason
from services.files import replacing, write_text
from services.reading import read_json
from training.data.manifest import read_lines, read_manifest
from training.errors import InvalidAnnotations
from training.evaluation.predictions import Prediction
from training.files import relative_path, sha256_of, write_csv, write_json

CHOICE, IMAGE = "show", "gif"  # names of the control and of its object in Label Studio
NONE_OF_THESE = "none of these"
LOCAL_FILES = "/data/local-files/?d="  # prefix of files below Label Studio's document root
NOTHING: Mapping[str, str] = {}
ADDED = ("original_show", "annotator", "annotated_at")  # columns of a corrected manifest


def label_config(shows: Sequence[str]) -> str:
    """Return Label Studio's labelling interface: the GIF, and one show to choose."""
    choices = "\n".join(f"    <Choice value={quoteattr(show)}/>" for show in (*shows, NONE_OF_THESE))
    return (
        f'<View>\n  <Image name="{IMAGE}" value="${IMAGE}"/>\n'
        f'  <Header value="In the manifest: $manifest_show"/>\n'
        f'  <Choices name="{CHOICE}" toName="{IMAGE}" choice="single" showInline="true">\n'
        f"{choices}\n  </Choices>\n</View>\n"
    )


def tasks(
    predictions: Sequence[Prediction], root: Path, suggestions: Mapping[str, str] = NOTHING
) -> list[dict[str, Any]]:
    """Return Label Studio's tasks, with the predictions of the model.

    Args:
        predictions: of the GIFs to review.
        root: Label Studio's LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, a folder above all of the GIFs.
        suggestions: what users said, by the digest of the GIF: a show, or `NONE_OF_THESE`.

    Raises:
        InvalidAnnotations: a GIF is not below the root.
    """
    found = []
    for each in predictions:
        try:
            place = each.path.resolve().relative_to(root.resolve()).as_posix()
        except ValueError:
            raise InvalidAnnotations(str(each.path), f"it is not below {root}") from None
        said = [("gif-train", each.named, round(each.confidence, 6))]
        if each.sha256 in suggestions:
            said.append(("users", suggestions[each.sha256], 1.0))
        data = {
            IMAGE: f"{LOCAL_FILES}{quote(place)}",
            "sha256": each.sha256,
            "manifest_show": each.show,
        }
        found.append({"data": data, "predictions": [_prediction(each.sha256, *one) for one in said]})
    return found


def _prediction(sha256: str, by: str, show: str, score: float) -> dict[str, Any]:
    result = {
        "id": sha256[:10],
        "from_name": CHOICE,
        "to_name": IMAGE,
        "type": "choices",
        "value": {"choices": [show]},
    }
    return {"model_version": by, "score": score, "result": [result]}


def write_label_studio(
    predictions: Sequence[Prediction], out: Path, root: Path, suggestions: Mapping[str, str] = NOTHING
) -> None:
    """Write tasks.json and config.xml into a folder; arguments as of `tasks`.

    Raises:
        InvalidAnnotations: as `tasks`.
    """
    made = tasks(predictions, root, suggestions)
    named = {show for each in predictions for show in (*each.probabilities, each.show)}
    shows = sorted((named | set(suggestions.values())) - {NONE_OF_THESE})
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "tasks.json", made, ensure_ascii=False)
    write_text(out / "config.xml", label_config(shows))


def write_fiftyone(predictions: Sequence[Prediction], out: Path) -> None:
    """Write a folder that FiftyOne reads as `fiftyone.types.LegacyFiftyOneDataset`.

    It has metadata.json, samples.json, and the GIFs in data/, named by their digest.

    Raises:
        InvalidAnnotations: a GIF cannot be read.
    """
    data = out / "data"
    data.mkdir(parents=True, exist_ok=True)
    samples = []
    for each in predictions:
        name = f"{each.sha256}.gif"
        try:
            with replacing(data / name) as partial:
                shutil.copyfile(each.path, partial)
        except OSError as error:
            raise InvalidAnnotations(str(each.path), f"it cannot be read: {os_reason(error)}") from error
        samples.append(
            {
                "filepath": f"data/{name}",
                "tags": ["review"],
                "ground_truth": _classification(each.show),
                "prediction": {**_classification(each.named), "confidence": each.confidence},
                "called_unknown": not each.known,
                "entropy": each.entropy,
                "group_name": each.group,
                "sha256": each.sha256,
            }
        )
    metadata = {
        "name": "gif-review",
        "media_type": "image",
        "info": {"classes": sorted({show for each in predictions for show in each.probabilities})},
    }
    write_json(out / "metadata.json", metadata, ensure_ascii=False)
    write_json(out / "samples.json", {"samples": samples}, ensure_ascii=False)


def _classification(label: str) -> dict[str, Any]:
    return {"_cls": "Classification", "tags": [], "label": label}


@dataclass(frozen=True)
class Annotation:
    """A person's label of one GIF.

    Attributes:
        sha256: of the GIF.
        show: title, or `NONE_OF_THESE`.
        annotator: name, address or number, as in Label Studio.
        at: when, ISO 8601 in UTC.
    """

    sha256: str
    show: str
    annotator: str
    at: str


@dataclass(frozen=True)
class Corrected:
    """The result of applying annotations to a manifest.

    Attributes:
        confirmed: number of lines that a person agreed with.
        corrected: number of lines with another show now.
        left_out: number of lines of GIFs that show none of the shows.
        strangers: number of annotations of GIFs that are not in the manifest.
    """

    confirmed: int
    corrected: int
    left_out: int
    strangers: int


def read_annotations(path: Path) -> tuple[Annotation, ...]:
    """Read Label Studio's JSON export; the last annotation of each task counts.

    Tasks without annotations and cancelled annotations are ignored.

    Raises:
        InvalidAnnotations: the file cannot be read, or is no such export.
    """
    try:
        return tuple(annotation for task in read_json(path) if (annotation := _last(task)) is not None)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidAnnotations(str(path), f"it is no export of Label Studio: {error!r}") from error


def apply_annotations(manifest: Path, annotations: Sequence[Annotation], out: Path) -> Corrected:
    """Write a manifest with the shows that people chose.

    An annotated line keeps its former show in the column `original_show`, and gets the columns `annotator`
    and `annotated_at`. GIFs that show none of the shows are left out.

    Args:
        manifest: to correct; it stays as it is unless `out` is the same file.
        annotations: by the digest of the GIF.
        out: manifest to write; paths of GIFs are relative to it.

    Raises:
        InvalidManifest: the manifest cannot be read.
        InvalidAnnotations: a GIF of the manifest cannot be read, or no line would be left.
    """
    rows = read_manifest(manifest)
    columns, lines = read_lines(manifest)
    by_digest = {annotation.sha256: annotation for annotation in annotations}
    confirmed = corrected = left_out = 0
    met: set[str] = set()
    kept: list[Mapping[str, str]] = []
    for row, (_, line) in zip(rows, lines, strict=True):
        try:
            digest = sha256_of(row.path)
        except OSError as error:
            raise InvalidAnnotations(str(row.path), f"it cannot be read: {os_reason(error)}") from error
        moved = {**line, "path": relative_path(row.path, out.parent)}
        annotation = by_digest.get(digest)
        if annotation is None:
            kept.append(moved)
            continue
        met.add(digest)
        if annotation.show == NONE_OF_THESE:
            left_out += 1
            continue
        confirmed += annotation.show == row.show
        corrected += annotation.show != row.show
        original = line.get("original_show") or row.show
        said = (annotation.show, original, annotation.annotator, annotation.at)
        kept.append(moved | dict(zip(("show", *ADDED), said, strict=True)))
    if not kept:
        raise InvalidAnnotations(str(manifest), "no line would be left")
    names = [*columns, *(name for name in ADDED if name not in columns)]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_csv(out, names, [[line.get(name, "") for name in names] for line in kept])
    return Corrected(confirmed, corrected, left_out, strangers=len(set(by_digest) - met))


def _last(task: Mapping[str, Any]) -> Annotation | None:
    done = [each for each in task["annotations"] if not each.get("was_cancelled") and each["result"]]
    if not done:
        return None
    last = max(done, key=lambda each: str(each.get("updated_at") or each.get("created_at") or ""))
    choices = [part["value"]["choices"][0] for part in last["result"] if part["from_name"] == CHOICE]
    who = last["completed_by"]
    annotator = who.get("email") or who["id"] if isinstance(who, dict) else who
    if not isinstance(choices[0], str) or not choices[0].strip():
        raise ValueError("an annotation names no show")
    when = datetime.datetime.fromisoformat(str(last.get("updated_at") or last["created_at"]))
    return Annotation(
        sha256=str(task["data"]["sha256"]),
        show=choices[0],
        annotator=str(annotator),
        at=when.astimezone(datetime.UTC).isoformat(timespec="seconds"),
    )
