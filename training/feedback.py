"""Gathers what users said of answers, joins it with the answers and the kept GIFs, and prepares a review.

logs -> feedback, answers ──by id──▶ feedback.csv
kept GIFs ──by name──▶ manifest.csv and label-studio/, for `gif-train review apply`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.inference.answers import Answer, read_answer
from services.inference.feedback import Feedback, read_feedback
from training.data.manifest import Row, read_manifest
from training.errors import InvalidLog
from training.evaluation.predictions import Prediction
from training.files import relative_path, sha256_of, write_csv
from training.logs import read_logs
from training.review import NONE_OF_THESE, write_label_studio

COLUMNS = ("answer_id", "right", "show", "verdict", "names", "model_version", "gif")
SOURCE = "feedback"  # of a GIF that no manifest names


@dataclass(frozen=True)
class Said:
    """A feedback with what it is about.

    Attributes:
        feedback: the last one on its answer.
        answer: None if no log has it.
        path: of the GIF that was kept; None if none was, or if it is not there.
    """

    feedback: Feedback
    answer: Answer | None
    path: Path | None


@dataclass(frozen=True)
class Gathered:
    """What was written.

    Attributes:
        feedback: number of answers that users said something of.
        right: number of them that were right.
        joined: number of them whose answer a log has.
        gifs: number of GIFs to review.
        known: number of those GIFs that the manifest has already.
    """

    feedback: int
    right: int
    joined: int
    gifs: int
    known: int


def gather(logs: Sequence[Path], gifs: Path | None) -> tuple[Said, ...]:
    """Read feedback and answers out of logs; of several feedbacks on an answer the last counts.

    Args:
        logs: in order of time; lines of other kinds are passed over.
        gifs: folder of the kept GIFs; None for none.

    Raises:
        InvalidLog: a log cannot be read, a line is damaged, or no log has any feedback.
    """
    found: dict[str, Feedback] = {}
    answers: dict[str, Answer] = {}
    said: Feedback | Answer
    for said in read_logs(logs, read_feedback, read_answer):
        if isinstance(said, Feedback):
            found.pop(said.answer_id, None)  # the order is that of the last ones
            found[said.answer_id] = said
        elif said.error is None:
            answers[said.request_id] = said
    if not found:
        raise InvalidLog(", ".join(map(str, logs)), "there is no feedback in it")
    return tuple(Said(each, answers.get(each.answer_id), _kept(each, gifs)) for each in found.values())


def _kept(feedback: Feedback, gifs: Path | None) -> Path | None:
    """Return the path of the kept GIF; a name that leaves the folder is none."""
    if gifs is None or not feedback.gif or Path(feedback.gif).name != feedback.gif:
        return None
    path = gifs / feedback.gif
    return path if path.is_file() else None


def write_review(said: Sequence[Said], out: Path, *, manifest: Path | None, root: Path) -> Gathered:
    """Write feedback.csv, and for the kept GIFs manifest.csv and tasks for Label Studio.

    A GIF that the manifest has already keeps its show and group there. Another one gets a line in
    manifest.csv with the show that the model named.

    Args:
        said: from `gather`.
        out: folder to write; it is made.
        manifest: of the GIFs that the model learned from; None for none.
        root: Label Studio's document root, a folder above all of the GIFs.

    Raises:
        InvalidManifest: the manifest cannot be read.
        InvalidAnnotations: a GIF is not below the root.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "feedback.csv", COLUMNS, map(_cells, said))
    rows = {sha256_of(row.path): row for row in read_manifest(manifest)} if manifest is not None else {}
    predictions: dict[str, Prediction] = {}
    suggestions: dict[str, str] = {}
    for each in said:
        if each.path is not None:
            sha256 = sha256_of(each.path)
            predictions[sha256] = _prediction(each, each.path, sha256, rows.get(sha256))
            suggestions[sha256] = _suggestion(each)
    new = [each for each in predictions.values() if each.sha256 not in rows]
    if new:
        lines = [(relative_path(each.path, out), each.show, each.group, SOURCE) for each in new]
        write_csv(out / "manifest.csv", ("path", "show", "group", "source"), lines)
    if predictions:
        write_label_studio(list(predictions.values()), out / "label-studio", root, suggestions)
    return Gathered(
        feedback=len(said),
        right=sum(each.feedback.right for each in said),
        joined=sum(each.answer is not None for each in said),
        gifs=len(predictions),
        known=len(predictions) - len(new),
    )


def _cells(said: Said) -> tuple[str, ...]:
    feedback, answer = said.feedback, said.answer
    answered = ("", "", "")
    if answer is not None:
        answered = (str(answer.verdict), "; ".join(answer.names), answer.model_version)
    right = "yes" if feedback.right else "no"
    return (feedback.answer_id, right, feedback.show, *answered, str(said.path or ""))


def _prediction(said: Said, path: Path, sha256: str, row: Row | None) -> Prediction:
    """Return what the reviewer sees: the show in the manifest, or else the one that the model named."""
    shares: Mapping[str, float] = dict(said.answer.shows) if said.answer is not None else {}
    shares = shares or {said.feedback.show or NONE_OF_THESE: 0.0}
    best = max(shares, key=lambda show: shares[show])
    known = said.answer is not None and said.answer.verdict in ("show", "one_of")
    place = (path, sha256, best, sha256[:12]) if row is None else (row.path, sha256, row.show, row.group)
    return Prediction(*place, shares, known)


def _suggestion(said: Said) -> str:
    """Return the show that the user says, as a choice of the reviewer."""
    if said.feedback.show:
        return said.feedback.show
    right = said.feedback.right and said.answer is not None and said.answer.verdict == "show"
    return said.answer.names[0] if right and said.answer is not None else NONE_OF_THESE
