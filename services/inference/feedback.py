"""What users say of an answer: "Was this right?" A line of the log or of a file, written by the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MESSAGE = "feedback"  # of the record, by which the lines are found in a log


@dataclass(frozen=True)
class Feedback:
    """What a user says of one answer.

    Attributes:
        answer_id: id of the request that was answered.
        right: whether the answer was right.
        show: title of the right show; "" where the user does not say.
        gif: name of the file that was kept of the GIF, with the user's consent; "" where none was.
    """

    answer_id: str
    right: bool
    show: str = ""
    gif: str = ""


def feedback_line(feedback: Feedback) -> dict[str, Any]:
    """Return the members of the line, beside those of every record of the log."""
    return asdict(feedback)


def read_feedback(record: Mapping[str, Any]) -> Feedback | None:
    """Read a record of the log, parsed from JSON; None if it is not the line of a feedback.

    Raises:
        ValueError: it is one, and a member is missing or has another type.
    """
    if record.get("message") != MESSAGE or "answer_id" not in record:
        return None
    found = {name: record.get(name) for name in Feedback.__dataclass_fields__}
    right = found.pop("right")
    if not isinstance(right, bool) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError("a line of a feedback is damaged")
    return Feedback(right=right, **{name: str(text) for name, text in found.items()})
