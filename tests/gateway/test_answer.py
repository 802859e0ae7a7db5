from __future__ import annotations

from gateway.answer import error_json, prediction_json
from services.errors import NotAGif
from services.inference import FrameVote, ModelInfo, Prediction, ShowProbability, Verdict


def test_a_prediction_as_json() -> None:
    prediction = Prediction(
        shows=(ShowProbability("Friends", 0.75), ShowProbability("The Office", 0.25)),
        verdict=Verdict("kind", ("live action",)),
        frames=(FrameVote(150, "Friends", 0.5),),
        model=ModelInfo("gif-shows", "2026.11.23", "0" * 64, "Apache-2.0"),
        format="webp",
    )

    told = prediction_json("a.gif", prediction)

    assert list(told) == ["source", "format", "shows", "known", "verdict", "frames", "model"]
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
        "frames": [{"timestamp_ms": 150, "show": "Friends", "probability": 0.5}],
        "model": {"name": "gif-shows", "version": "2026.11.23"},
    }


def test_an_error_as_json() -> None:
    assert error_json("a.gif", NotAGif("a PDF document")) == {
        "source": "a.gif",
        "error": {"reason": "NOT_A_GIF", "message": "not a GIF, WebP, PNG or JPEG: this is a PDF document"},
    }
