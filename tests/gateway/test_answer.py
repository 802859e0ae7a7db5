from __future__ import annotations

from gateway.answer import CSV_COLUMNS, csv_cells, error_json, outcome_row, prediction_json, row_json
from services.errors import NotAGif
from services.inference import (
    FrameVote,
    Match,
    ModelInfo,
    Neighbour,
    Prediction,
    ShowProbability,
    TimeSpan,
    Verdict,
)


def test_a_prediction_as_json() -> None:
    prediction = Prediction(
        shows=(ShowProbability("Friends", 0.75), ShowProbability("The Office", 0.25)),
        verdict=Verdict("kind", ("live action",)),
        votes=(FrameVote(150, "Friends", 0.5),),
        model=ModelInfo("gif-shows", "2026.11.23", "0" * 64, "Apache-2.0"),
        format="webp",
        matches=(
            Match("Friends", "b.gif", 0.97, 9, TimeSpan(150, 2850), TimeSpan(61_150, 63_850), mirrored=True),
        ),
        neighbours=(Neighbour("The Office", "c.gif", 0.8304),),
    )

    told = prediction_json("a.gif", prediction)

    assert list(told) == [
        *("source", "format", "shows", "known", "verdict", "votes", "model", "matches", "neighbours")
    ]
    assert told == {
        "source": "a.gif",
        "format": "webp",
        "shows": [{"show": "Friends", "probability": 0.75}, {"show": "The Office", "probability": 0.25}],
        "known": False,
        "verdict": {
            "level": "kind",
            "names": ["live action"],
            "text": "live action, but no show that I know",
        },
        "votes": [{"offset_ms": 150, "show": "Friends", "probability": 0.5}],
        "model": {
            **{"name": "gif-shows", "version": "2026.11.23"},
            **{"training_data_sha256": "0" * 64, "licence": "Apache-2.0"},
        },
        "matches": [
            {
                "show": "Friends",
                "name": "b.gif",
                "similarity": 0.97,
                "frame_count": 9,
                "query": {"start_ms": 150, "end_ms": 2850},
                "known": {"start_ms": 61_150, "end_ms": 63_850},
                "mirrored": True,
            }
        ],
        "neighbours": [{"show": "The Office", "name": "c.gif", "similarity": 0.8304}],
    }
    row = outcome_row("a.gif", "0" * 64, prediction)
    assert row_json(row) == {**told, "sha256": "0" * 64}
    cells = dict(zip(CSV_COLUMNS, csv_cells(row), strict=True))
    best = {name: value for name, value in cells.items() if name.startswith(("match_", "neighbour_"))}
    assert best == {
        **{"match_show": "Friends", "match_name": "b.gif", "match_similarity": "0.97"},
        **{"neighbour_show": "The Office", "neighbour_name": "c.gif", "neighbour_similarity": "0.8304"},
    }


def test_an_error_as_json() -> None:
    error = NotAGif("a PDF document")

    told = error_json("a.gif", error)

    assert told == {
        "source": "a.gif",
        "error": {
            "reason": "NOT_A_GIF",
            "message": "not a GIF, WebP, PNG or JPEG: this is a PDF document",
            "details": {"found": "a PDF document"},
        },
    }
    row = outcome_row("a.gif", None, error)
    assert row_json(row) == {**told, "sha256": None}
    cells = dict(zip(CSV_COLUMNS, csv_cells(row), strict=True))
    assert cells["error_details"] == '{"found": "a PDF document"}'
