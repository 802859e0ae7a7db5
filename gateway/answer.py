"""What a program reads: **Prediction** or error -> JSON object.

{"source", "format", "shows": [{"show", "probability"}], "known", "verdict": {"level", "names", "text"},
 "frames": [{"timestamp_ms", "show", "probability"}], "model": {"name", "version"}}
{"source", "error": {"reason", "message"}}

A table holds the same as a **row**, for Parquet, CSV and lines of JSON; docs/batch.md tells its columns.
A source that is the name of a file is written as `services.names` says, so that every reader takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.errors import AnalyzerError
from services.inference import Prediction, Verdict
from services.names import name_text

JsonObject = dict[str, object]

# How many GIFs were given each verdict: level, and the show where one is named, else "".
Tally = Mapping[tuple[str, str], int]

# Columns of CSV: those of a row that are no lists of their own, `names` as one text.
CSV_COLUMNS = (
    "source",
    "sha256",
    "format",
    "known",
    "verdict",
    "names",
    "text",
    "show",
    "probability",
    "model_name",
    "model_version",
    "error_reason",
    "error_message",
)


def prediction_json(source: str, prediction: Prediction) -> JsonObject:
    """Put a prediction for `source` into values that JSON knows. Probabilities are 0..1, times in ms."""
    return {
        "source": name_text(source),
        "format": prediction.format,
        "shows": [{"show": show.show, "probability": show.probability} for show in prediction.shows],
        "known": prediction.known,
        "verdict": verdict_json(prediction.verdict),
        "frames": [
            {"timestamp_ms": vote.timestamp_ms, "show": vote.show, "probability": vote.probability}
            for vote in prediction.frames
        ],
        "model": {"name": prediction.model.name, "version": prediction.model.version},
    }


def verdict_json(verdict: Verdict) -> JsonObject:
    """Put a verdict into values that JSON knows."""
    return {"level": verdict.level, "names": list(verdict.names), "text": verdict.text}


def error_json(source: str, error: AnalyzerError) -> JsonObject:
    """Put what went wrong with `source` into values that JSON knows."""
    return {"source": name_text(source), "error": {"reason": error.reason, "message": error.message}}


def answer_row(source: str, sha256: str, prediction: Prediction) -> JsonObject:
    """Make the row of a GIF that was answered.

    Args:
        source: an address, or the name of a file as `services.names` writes it.
        sha256: of the GIF's bytes.
        prediction: the answer.
    """
    best = prediction.shows[0]
    answer = prediction_json(source, prediction)
    return {
        "source": source,
        "sha256": sha256,
        "format": prediction.format,
        "known": prediction.known,
        "verdict": prediction.verdict.level,
        "names": list(prediction.verdict.names),
        "text": prediction.verdict.text,
        "show": best.show,
        "probability": best.probability,
        "shows": answer["shows"],
        "frames": answer["frames"],
        "model_name": prediction.model.name,
        "model_version": prediction.model.version,
    }


def error_row(source: str, sha256: str | None, error: AnalyzerError) -> JsonObject:
    """Make the row of an input that could not be answered; see `answer_row`."""
    return {
        "source": source,
        "sha256": sha256,
        "error_reason": error.reason,
        "error_message": error.message,
    }


def row_json(row: Mapping[str, Any]) -> JsonObject:
    """Put a row into the object that `prediction_json` or `error_json` makes, and its sha256."""
    beginning = {"source": row["source"], "sha256": row["sha256"]}
    if row.get("error_reason") is not None:
        return beginning | {"error": {"reason": row["error_reason"], "message": row["error_message"]}}
    return beginning | {
        "format": row["format"],
        "shows": row["shows"],
        "known": row["known"],
        "verdict": {"level": row["verdict"], "names": row["names"], "text": row["text"]},
        "frames": row["frames"],
        "model": {"name": row["model_name"], "version": row["model_version"]},
    }


def csv_cells(row: Mapping[str, Any]) -> list[str]:
    """Write a row as the cells of CSV_COLUMNS; what is not there is empty."""
    return [_cell(row.get(column)) for column in CSV_COLUMNS]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)


def tally_text(tally: Tally, *, unreadable: int = 0) -> str:
    """Say what came of several GIFs, such as "41 Friends, 12 unknown, 2 unreadable".

    Args:
        tally: of the GIFs that were answered.
        unreadable: how many others could not be.
    """
    shows = sorted((-count, show) for (level, show), count in tally.items() if level == "show")
    parts = [f"{-count:,} {show}" for count, show in shows]
    for level, words in (
        ("one_of", "one of several shows"),
        ("kind", "of a kind, but no show that I know"),
        ("unknown", "unknown"),
    ):
        if count := tally.get((level, "")):
            parts.append(f"{count:,} {words}")
    if unreadable:
        parts.append(f"{unreadable:,} unreadable")
    return ", ".join(parts) or "nothing"
