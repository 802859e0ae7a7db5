"""The output of batch: the schema of its rows, and writers for Parquet, CSV and lines of JSON.

docs/batch.md describes the columns, and a test compares the two. Only Parquet holds the terms of its answers
(the model, the library and the limits), so that a later run can use them.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.answer import CSV_COLUMNS, JsonObject, csv_cells, row_json
from services.errors import InvalidArgument
from services.files import replacing
from services.names import name_text

_SHOW = pa.struct({"show": pa.string(), "probability": pa.float64()})
_VOTE = pa.struct({"offset_ms": pa.int64(), "show": pa.string(), "probability": pa.float64()})
_SPAN = pa.struct({"start_ms": pa.int64(), "end_ms": pa.int64()})
_MATCH = pa.struct(
    {
        "show": pa.string(),
        "name": pa.string(),
        "similarity": pa.float64(),
        "frame_count": pa.int64(),
        "query": _SPAN,
        "known": _SPAN,
        "mirrored": pa.bool_(),
    }
)
_NEIGHBOUR = pa.struct({"show": pa.string(), "name": pa.string(), "similarity": pa.float64()})
_DETAIL = pa.struct({"name": pa.string(), "value": pa.string()})
SCHEMA = pa.schema(
    {
        "source": pa.string(),  # path or address, one row for each
        "sha256": pa.string(),  # of the bytes; null where they could not be had
        "format": pa.string(),  # "gif", "webp", ...; null without an answer
        "known": pa.bool_(),  # whether the verdict names shows
        "verdict": pa.string(),  # "show", "one_of", "kind" or "unknown"
        "names": pa.list_(pa.string()),  # what the verdict names
        "text": pa.string(),  # the verdict in words
        "show": pa.string(),  # the most probable; only a guess where known is false
        "probability": pa.float64(),  # of that show, 0..1
        "shows": pa.list_(_SHOW),  # most probable first
        "votes": pa.list_(_VOTE),  # one vote for each frame that was classified
        "model_name": pa.string(),
        "model_version": pa.string(),
        "model_training_data_sha256": pa.string(),
        "model_licence": pa.string(),
        "matches": pa.list_(_MATCH),  # same footage in the library, best first; empty without a library
        "neighbours": pa.list_(_NEIGHBOUR),  # what looks most similar, best first; empty without a library
        "error_reason": pa.string(),  # null where there is an answer, and vice versa
        "error_message": pa.string(),
        "error_details": pa.list_(_DETAIL),  # the values in the message
    }
)
# What a library keeps of a clip: see `services.inference.library.KnownClip`. The show comes from the input.
CLIPS = pa.schema(
    {
        "source": pa.string(),  # path or address: the name in the library
        "sha256": pa.string(),  # of the bytes; null where they could not be had
        "times_ms": pa.list_(pa.int64()),
        "embedding": pa.binary(),  # the bytes of its array, as of the next two
        "fingerprints": pa.binary(),
        "distinct": pa.binary(),
        "error_reason": pa.string(),  # null where there is a clip, and vice versa
        "error_message": pa.string(),
    }
)
_TERMS = b"gif-analyzer"  # key of the terms in the metadata of a file
FORMATS = (".parquet", ".csv", ".jsonl")


class Writer(Protocol):
    """Writes rows of SCHEMA to one file."""

    def write_table(self, table: pa.Table) -> None:
        """Append the rows of a table of SCHEMA."""


class _Csv:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._write([list(CSV_COLUMNS)])

    def write_table(self, table: pa.Table) -> None:
        self._write([csv_cells(row) for row in table.to_pylist()])

    def _write(self, lines: list[list[str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._file.write(text.getvalue().encode())


class _JsonLines:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write_table(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            self._file.write(json.dumps(row_json(row), allow_nan=False).encode() + b"\n")


def check_format(path: Path) -> None:
    """Raise InvalidArgument unless the name of an output ends in the suffix of a format."""
    if path.suffix not in FORMATS:
        expected = f"a name that ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise InvalidArgument("out", expected=expected, found=name_text(str(path)))


def with_terms(terms: JsonObject, schema: pa.Schema = SCHEMA) -> pa.Schema:
    """Return the schema with the terms: what answers depend on beside the bytes, such as the model."""
    return schema.with_metadata({_TERMS: json.dumps(terms, sort_keys=True).encode()})


def read_terms(path: Path, expected: pa.Schema = SCHEMA) -> JsonObject | None:
    """Return the terms of an earlier output; None if batch did not write this file. Raises OSError.

    CSV, lines of JSON, and Parquet with the columns of another version have no terms: their answers are not
    used.
    """
    with path.open("rb") as file:
        if path.suffix == ".csv":
            return {} if _first_line(file).rstrip().split(",")[:2] == list(CSV_COLUMNS[:2]) else None
        if path.suffix == ".jsonl":
            try:
                first = json.loads(_first_line(file))
            except ValueError:
                return None
            return {} if isinstance(first, dict) and list(first)[:2] == ["source", "sha256"] else None
        try:
            schema = pq.read_schema(file)
        except pa.ArrowInvalid:
            return None
    terms = (schema.metadata or {}).get(_TERMS)
    if terms is None:
        return None
    read: JsonObject = json.loads(terms)
    return read if schema.remove_metadata().equals(expected) else {}


def _first_line(file: BinaryIO) -> str:
    return file.readline(100_000).decode("utf-8", "replace")


@contextlib.contextmanager
def writing(path: Path, schema: pa.Schema) -> Iterator[Writer]:
    """Yield a writer to a file that replaces `path` once it is whole and on the disk."""
    with replacing(path) as partial, partial.open("wb") as file:
        if path.suffix == ".csv":
            yield _Csv(file)
        elif path.suffix == ".jsonl":
            yield _JsonLines(file)
        else:
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                yield writer
