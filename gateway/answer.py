"""Predictions and errors as JSON objects, and as rows of a table.

    {"source", "format", "shows": [{"show", "probability"}], "known", "verdict": {"level", "names", "text"},
     "votes": [{"offset_ms", "show", "probability"}],
     "model": {"name", "version", "training_data_sha256", "licence"},
     "matches": [{"show", "name", "similarity", "frame_count", "query": {"start_ms", "end_ms"}, "known": {…},
                  "mirrored"}],
     "neighbours": [{"show", "name", "similarity"}]}
    {"source", "error": {"reason", "message", "details"}}

A row holds the same in flat columns, for Parquet, CSV and lines of JSON; docs/batch.md describes them. The
name of a file is written as `services.names` says, so that every reader accepts it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from services.errors import AnalyzerError
from services.inference import ModelInfo, Prediction, Verdict
from services.names import name_text

JsonObject = dict[str, object]

MODEL = tuple(field.name for field in dataclasses.fields(ModelInfo))  # members of `model`

# How many GIFs got each verdict, by `tally_key`.
Tally = Mapping[tuple[str, str], int]

# Columns of CSV that tell the best match and the nearest neighbour: the list in the row, and the value in it.
_BEST = {
    f"{name}_{value}": (f"{name}{plural}", value)
    for name, plural in (("match", "es"), ("neighbour", "s"))
    for value in ("show", "name", "similarity")
}
# Columns of CSV: those of a row without lists of objects, and the best of those lists; `names` is one text.
CSV_COLUMNS = (
    *("source", "sha256", "format", "known", "verdict", "names", "text", "show", "probability"),
    *(*(f"model_{name}" for name in MODEL), *_BEST, "error_reason", "error_message", "error_details"),
)


def prediction_json(source: str, prediction: Prediction) -> JsonObject:
    """Return the answer for `source` as a JSON object. Probabilities are 0..1, times in ms."""
    return {
        "source": name_text(source),
        "format": prediction.format,
        "shows": [dataclasses.asdict(show) for show in prediction.shows],
        "known": prediction.known,
        "verdict": verdict_json(prediction.verdict),
        "votes": [dataclasses.asdict(vote) for vote in prediction.votes],
        "model": dataclasses.asdict(prediction.model),
        "matches": [dataclasses.asdict(match) for match in prediction.matches],
        "neighbours": [dataclasses.asdict(each) for each in prediction.neighbours],
    }


def verdict_json(verdict: Verdict) -> JsonObject:
    """Return a verdict as a JSON object."""
    return {"level": verdict.level, "names": list(verdict.names), "text": verdict.text}


def error_json(source: str, error: AnalyzerError) -> JsonObject:
    """Return the error of `source` as a JSON object."""
    return {"source": name_text(source), "error": reason_json(error)}


def reason_json(error: AnalyzerError) -> JsonObject:
    """Return an error as a JSON object. Its details are the values in the message, as text."""
    return {"reason": error.reason, "message": error.message, "details": error.details}


def outcome_row(source: str, sha256: str | None, outcome: Prediction | AnalyzerError) -> JsonObject:
    """Return the row of one input.

    Args:
        source: an address, or the name of a file as `services.names` writes it.
        sha256: of the GIF's bytes; None if they could not be read.
        outcome: the answer or the error.
    """
    row: JsonObject = {"source": source, "sha256": sha256}
    if isinstance(outcome, AnalyzerError):
        return row | {
            "error_reason": outcome.reason,
            "error_message": outcome.message,
            "error_details": [{"name": name, "value": value} for name, value in outcome.details.items()],
        }
    answer = prediction_json(source, outcome)
    return row | {
        "format": outcome.format,
        "known": outcome.known,
        "verdict": outcome.verdict.level,
        "names": list(outcome.verdict.names),
        "text": outcome.verdict.text,
        **dataclasses.asdict(outcome.shows[0]),
        "shows": answer["shows"],
        "votes": answer["votes"],
        **{f"model_{name}": value for name, value in dataclasses.asdict(outcome.model).items()},
        "matches": answer["matches"],
        "neighbours": answer["neighbours"],
    }


def row_json(row: Mapping[str, Any]) -> JsonObject:
    """Return a row as the object of `prediction_json` or `error_json`, with its sha256."""
    beginning = {"source": row["source"], "sha256": row["sha256"]}
    if row.get("error_reason") is not None:
        error = {"reason": row["error_reason"], "message": row["error_message"]}
        return beginning | {"error": error | {"details": _details(row)}}
    return beginning | {
        "format": row["format"],
        "shows": row["shows"],
        "known": row["known"],
        "verdict": {"level": row["verdict"], "names": row["names"], "text": row["text"]},
        "votes": row["votes"],
        "model": {name: row[f"model_{name}"] for name in MODEL},
        "matches": row["matches"],
        "neighbours": row["neighbours"],
    }


def csv_cells(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of a row for CSV_COLUMNS; missing values are empty."""
    best = {column: _best(row, *_BEST[column]) for column in _BEST}
    details = json.dumps(_details(row)) if row.get("error_details") is not None else None
    cells = {**row, **best, "error_details": details}
    return [_cell(cells.get(column)) for column in CSV_COLUMNS]


def _details(row: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in row["error_details"]}


def _best(row: Mapping[str, Any], column: str, name: str) -> object:
    """Return a value of the first object of a list in a row; None if there is none."""
    return next((each[name] for each in row.get(column) or ()), None)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)


def tally_key(verdict: Verdict) -> tuple[str, str]:
    """Return what a verdict is counted under: its level, and the show if it names one, else ""."""
    return verdict.level, verdict.names[0] if verdict.level == "show" else ""


def tally_text(tally: Tally, *, unreadable: int = 0) -> str:
    """Summarise the answers of several GIFs, such as "41 Friends, 12 unknown, 2 unreadable"."""
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
