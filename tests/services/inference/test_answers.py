"""The line of an answer, and the summary of many: what they hold, and that they are read as written."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from services.inference import ModelInfo, Prediction, ShowProbability, Verdict
from services.inference.answers import (
    MESSAGE,
    MOST_VALUES,
    Answer,
    Summary,
    answer_line,
    answer_of,
    error_of,
    read_answer,
)

MODEL = ModelInfo("gif-shows", "2026.11.29", "0" * 64, "Apache-2.0")


def prediction(*names: str, level: str = "show", familiarity: float | None = 1.23456) -> Prediction:
    shows = tuple(ShowProbability(f"Show {place}", 0.23456 / (place + 1)) for place in range(5))
    return Prediction(shows, Verdict(level, names), (), MODEL, "gif", familiarity=familiarity)  # type: ignore[arg-type]


def answer(*names: str, **changes: Any) -> Answer:
    made = answer_of(prediction(*names), request_id="a1", interface="rest", duration_ms=12.3456)
    return dataclasses.replace(made, **changes)


def record(line: Answer) -> dict[str, Any]:
    """What a log holds of it."""
    found: dict[str, Any] = json.loads(json.dumps({"message": MESSAGE, "time": "now", **answer_line(line)}))
    return found


def test_a_line_rounds_what_it_says() -> None:
    line = record(answer("Show 0"))

    assert line["shows"] == [["Show 0", 0.23], ["Show 1", 0.12], ["Show 2", 0.08]]
    assert (line["familiarity"], line["duration_ms"]) == (1.23, 12.3)
    assert (line["verdict"], line["names"], line["model_version"]) == ("show", ["Show 0"], "2026.11.29")


@pytest.mark.parametrize(
    "line",
    [
        answer("Show 0", decode_ms=3.1, classify_ms=9.0),
        answer(verdict="unknown", familiarity=None, kept=True),
        error_of("NOT_A_GIF", request_id="a2", interface="lambda", duration_ms=0.25),
    ],
    ids=["answer", "kept", "error"],
)
def test_a_line_is_read_as_it_was_written(line: Answer) -> None:
    assert read_answer(record(line)) == line


def test_other_records_are_no_answers_and_damaged_lines_are_errors() -> None:
    assert read_answer({"message": "request", "route": "/v1/identify"}) is None
    assert read_answer({"message": MESSAGE}) is None
    for damage in ({"verdict": "sure"}, {"duration_ms": "soon"}, {"duration_ms": float("nan")}, {"shows": 3}):
        with pytest.raises(ValueError, match="damaged"):
            read_answer({**record(answer("Show 0")), **damage})


def test_a_summary_counts_the_answers_of_one_model_and_all_errors() -> None:
    lines = [
        answer("Show 0"),
        answer("Show 0", familiarity=-2.0),
        answer("anime", verdict="kind"),
        answer("Show 1", kept=True),
        answer("Show 2", model_version="older"),
        error_of("NOT_A_GIF", request_id="a3", interface="rest", duration_ms=1),
    ]

    summary = Summary.of(lines, model_version="2026.11.29", source="a test")

    assert (summary.answers, summary.verdicts) == (3, {"show": 2, "kind": 1})
    assert (summary.shows, summary.formats) == ({"Show 0": 2}, {"gif": 3})
    assert summary.errors == {"NOT_A_GIF": 1}
    assert (summary.familiarity, summary.duration_ms) == ([-2.0, 1.23, 1.23], [12.3, 12.3, 12.3])
    assert Summary.from_json(json.dumps(summary.to_json())) == summary


def test_held_out_answers_say_nothing_about_a_service() -> None:
    lines = [answer("Show 0", interface="held out")]

    summary = Summary.of(lines, model_version="2026.11.29", source="a test")

    assert (summary.errors, summary.duration_ms) == (None, [])


def test_a_summary_keeps_few_values_of_many_evenly() -> None:
    lines = [answer("Show 0", familiarity=float(value)) for value in range(10_000)]

    kept = Summary.of(lines, model_version="2026.11.29", source="a test").familiarity

    assert len(kept) == MOST_VALUES
    assert (kept[0], kept[-1]) == (2.0, 9_997.0)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"form": 2}', '{"form": 1, "verdicts": 3}'])
def test_something_else_is_no_summary(text: str) -> None:
    with pytest.raises(ValueError, match="no summary"):
        Summary.from_json(text)
