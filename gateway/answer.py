"""What a program reads: **Prediction** or error -> JSON object.

{"source", "format", "shows": [{"show", "probability"}], "known", "verdict": {"level", "names", "text"},
 "frames": [{"timestamp_ms", "show", "probability"}], "model": {"name", "version"}}
{"source", "error": {"reason", "message"}}
"""

from __future__ import annotations

from services.errors import AnalyzerError
from services.inference import Prediction

JsonObject = dict[str, object]


def prediction_json(source: str, prediction: Prediction) -> JsonObject:
    """Put a prediction for `source` into values that JSON knows. Probabilities are 0..1, times in ms."""
    return {
        "source": source,
        "format": prediction.format,
        "shows": [{"show": show.show, "probability": show.probability} for show in prediction.shows],
        "known": prediction.known,
        "verdict": {
            "level": prediction.verdict.level,
            "names": list(prediction.verdict.names),
            "text": prediction.verdict.text,
        },
        "frames": [
            {"timestamp_ms": vote.timestamp_ms, "show": vote.show, "probability": vote.probability}
            for vote in prediction.frames
        ],
        "model": {"name": prediction.model.name, "version": prediction.model.version},
    }


def error_json(source: str, error: AnalyzerError) -> JsonObject:
    """Put what went wrong with `source` into values that JSON knows."""
    return {"source": source, "error": {"reason": error.reason, "message": error.message}}
