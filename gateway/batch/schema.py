"""What batch writes: rows -> **Parquet, CSV or lines of JSON**, a whole file or none.

The columns are told in docs/batch.md, and a test holds the two together. Only Parquet says under which terms
its answers were given, so that a later run can use them.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.answer import CSV_COLUMNS, JsonObject, csv_cells, row_json
from services.errors import InvalidArgument
from services.names import name_text

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
        pa.field("text", pa.string()),  # the verdict in words
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


class Writer(Protocol):
    """Takes rows of SCHEMA for one file."""

    def write_table(self, table: pa.Table) -> None:
        """Append the rows of a table of SCHEMA to the file."""


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


PARQUET = ".parquet"
_TEXTS: dict[str, Callable[[BinaryIO], Writer]] = {".csv": _Csv, ".jsonl": _JsonLines}
FORMATS = (PARQUET, *_TEXTS)


def check_format(path: Path) -> None:
    """Refuse an output whose name does not end as one of the formats does.

    Raises:
        InvalidArgument: names the endings.
    """
    if path.suffix not in FORMATS:
        expected = f"a name that ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise InvalidArgument("out", expected=expected, found=name_text(str(path)))


def with_terms(terms: JsonObject) -> pa.Schema:
    """Put into the schema what the answers depend on beside the bytes: the model, the limits, top-k."""
    return SCHEMA.with_metadata({_TERMS: json.dumps(terms, sort_keys=True).encode()})


def read_terms(path: Path) -> JsonObject | None:
    """Read back under which terms a file was written; None where it is not a file of ours.

    A file of another format, or with other columns, which another version wrote, has no terms: its answers
    are not used.

    Raises:
        OSError: it cannot be read.
    """
    if path.suffix in _TEXTS:
        return {} if _is_ours(path) else None
    try:
        with path.open("rb") as file:
            schema = pq.read_schema(file)
    except pa.ArrowInvalid:
        return None
    terms = (schema.metadata or {}).get(_TERMS)
    if terms is None:
        return None
    if not schema.remove_metadata().equals(SCHEMA):
        return {}
    read: JsonObject = json.loads(terms)
    return read


def _is_ours(path: Path) -> bool:
    """Whether the first line of a text is one that batch writes."""
    with path.open("rb") as file:
        line = file.readline(100_000).decode("utf-8", "replace")
    if path.suffix == ".csv":
        return line.rstrip().split(",")[:2] == list(CSV_COLUMNS[:2])
    try:
        first = json.loads(line)
    except ValueError:
        return False
    return isinstance(first, dict) and list(first)[:2] == ["source", "sha256"]


@contextlib.contextmanager
def writing(path: Path, schema: pa.Schema) -> Iterator[Writer]:
    """Write a file beside its place and move it there once it is whole and on the disk.

    Its name until then is always the same: whoever writes here holds the output alone, and what a killed run
    left is written over.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            if path.suffix in _TEXTS:
                yield _TEXTS[path.suffix](file)
            else:
                with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                    yield writer
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
