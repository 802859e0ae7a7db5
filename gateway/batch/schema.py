"""What batch writes: **Prediction** or error -> a row -> **Parquet**, a whole file or none.

The columns are told in docs/batch.md, and a test holds the two together.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.answer import JsonObject
from services.errors import AnalyzerError
from services.inference import Prediction

_SHOW = pa.struct([pa.field("show", pa.string()), pa.field("probability", pa.float64())])
_FRAME = pa.struct(
    [
        pa.field("timestamp_ms", pa.int64()),
        pa.field("show", pa.string()),
        pa.field("probability", pa.float64()),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("source", pa.string()),  # path or address, one row for each
        pa.field("sha256", pa.string()),  # of the bytes; null where they could not be had
        pa.field("format", pa.string()),  # "gif", "webp", ...; null where there is no answer
        pa.field("known", pa.bool_()),  # whether the verdict names shows
        pa.field("verdict", pa.string()),  # "show", "one_of", "kind" or "unknown"
        pa.field("names", pa.list_(pa.string())),  # what the verdict names
        pa.field("show", pa.string()),  # the most probable; no more than a guess where known is false
        pa.field("probability", pa.float64()),  # of that show, 0..1
        pa.field("shows", pa.list_(_SHOW)),  # most probable first
        pa.field("frames", pa.list_(_FRAME)),  # one vote for each frame looked at
        pa.field("model_name", pa.string()),
        pa.field("model_version", pa.string()),
        pa.field("error_reason", pa.string()),  # null where there is an answer, and the other way round
        pa.field("error_message", pa.string()),
    ]
)
_TERMS = b"gif-analyzer"  # key of a file's metadata: under which terms its answers were given


def answer_row(source: str, sha256: str, prediction: Prediction) -> JsonObject:
    """Make the row of a GIF that was answered."""
    best = prediction.shows[0]
    return {
        "source": source,
        "sha256": sha256,
        "format": prediction.format,
        "known": prediction.known,
        "verdict": prediction.verdict.level,
        "names": list(prediction.verdict.names),
        "show": best.show,
        "probability": best.probability,
        "shows": [{"show": ranked.show, "probability": ranked.probability} for ranked in prediction.shows],
        "frames": [
            {"timestamp_ms": vote.timestamp_ms, "show": vote.show, "probability": vote.probability}
            for vote in prediction.frames
        ],
        "model_name": prediction.model.name,
        "model_version": prediction.model.version,
    }


def error_row(source: str, sha256: str | None, error: AnalyzerError) -> JsonObject:
    """Make the row of an input that could not be answered."""
    return {
        "source": source,
        "sha256": sha256,
        "error_reason": error.reason,
        "error_message": error.message,
    }


def with_terms(terms: JsonObject) -> pa.Schema:
    """Put into the schema what the answers depend on beside the bytes: the model, the limits, top-k."""
    return SCHEMA.with_metadata({_TERMS: json.dumps(terms, sort_keys=True).encode()})


def read_terms(path: Path) -> JsonObject | None:
    """Read back under which terms a file was written; None where it is not a file of ours.

    A file with other columns, which another version wrote, has no terms: its answers are not used.

    Raises:
        OSError: it cannot be read.
    """
    try:
        schema = pq.read_schema(path)
    except pa.ArrowInvalid:
        return None
    terms = (schema.metadata or {}).get(_TERMS)
    if terms is None:
        return None
    if not schema.remove_metadata().equals(SCHEMA):
        return {}
    read: JsonObject = json.loads(terms)
    return read


@contextlib.contextmanager
def writing(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Write a Parquet file beside its place and move it there once it is whole and on the disk.

    Its name until then is always the same: whoever writes here holds the output alone, and what a killed run
    left is written over.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            yield writer
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
