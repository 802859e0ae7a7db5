"""The rows of a running batch: part files in a folder beside the output, and an index of them in SQLite.

`labels.parquet.parts/part-000001.parquet` is whole or missing, so a killed run loses no more than the rows of
the part that it was filling. An earlier output counts as the first part: its answers for the same bytes under
the same terms are still valid. The index is made anew from the parts at each start, so a crash cannot damage
it, and memory does not grow with the input.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.answer import JsonObject, Tally
from gateway.batch.inputs import Source
from gateway.batch.schema import SCHEMA, Writer, check_format, read_terms, with_terms, writing
from services.errors import GifError, UnreadableFile, catalogue, os_reason

PART_ROWS = 1_024
PART_S = 5.0  # a part is written after so many seconds even if it is small
OUTPUT = 0  # the number of the earlier output among the parts
READ_ROWS = 4_096  # of a part, at a time
_COLUMNS = (
    "source",
    "sha256",
    "verdict",
    "show",
    "error_reason",
)  # of a row, in the index; null if it has none
# Errors in the bytes themselves are final; sources with other errors are tried again.
_FINAL = [reason for reason, error in catalogue().items() if issubclass(error, GifError)]


@contextlib.contextmanager
def open_parts(out: Path, terms: JsonObject, schema: pa.Schema = SCHEMA) -> Iterator[Parts]:
    """Lock the folder of an output for this run, and yield its parts.

    Args:
        out: path of the output.
        terms: what answers depend on beside the bytes; parts with other terms are not used.
        schema: of the parts. Only answers are an output themselves, and an earlier one is used.

    Raises:
        InvalidArgument: the suffix of the output names no format.
        UnreadableFile: the output cannot be written, is not of batch, or another run is writing it.
    """
    if schema is SCHEMA:
        check_format(out)
    folder = out.with_name(f"{out.name}.parts")
    try:
        if schema is SCHEMA and out.exists() and read_terms(out) is None:
            raise UnreadableFile(str(out), "it is there already, and is not an output of batch")
        folder.mkdir(exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise UnreadableFile(str(out), f"the output cannot be written: {os_reason(error)}") from error
    with lock:
        try:
            # The lock is released when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnreadableFile(str(out), "another run is writing this output") from error
        index = folder / "ledger.sqlite"
        index.unlink(missing_ok=True)
        try:
            with contextlib.closing(sqlite3.connect(index, isolation_level=None)) as db:
                yield Parts(out, folder, terms, db, schema)
        finally:
            if folder.exists() and not any(folder.glob("part-*")):
                shutil.rmtree(folder)  # it holds no answers


class Parts:
    """The parts of one output, and the index of every source and the place of its latest row."""

    def __init__(
        self, out: Path, folder: Path, terms: JsonObject, db: sqlite3.Connection, schema: pa.Schema
    ) -> None:
        self._out, self._folder, self._db = out, folder, db
        self._schema = with_terms(terms, schema)
        self._pending: list[JsonObject] = []
        self._written = time.monotonic()
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute(
            "CREATE TABLE sources (source TEXT PRIMARY KEY, sha256 TEXT, verdict TEXT, show TEXT,"
            " reason TEXT, final INTEGER, part INTEGER, row INTEGER, wanted INTEGER NOT NULL DEFAULT 0,"
            " title TEXT)"
            " WITHOUT ROWID"
        )
        found = {int(path.stem[5:]): path for path in folder.glob("part-*.parquet")}
        self._next = max(found, default=OUTPUT) + 1
        if schema is SCHEMA and out.exists():
            found[OUTPUT] = out
        self._files = {
            part: path for part, path in sorted(found.items()) if read_terms(path, schema) == terms
        }
        for part, path in self._files.items():
            for start, batch in _read(path, [name for name in _COLUMNS if name in schema.names]):
                self._record(part, start, batch)

    def want(self, sources: Iterable[Source]) -> list[tuple[str, int | None, str | None]]:
        """Note that sources are part of this run; return their name, size, and digest with a valid answer.

        A source that was noted before in this run is left out.
        """
        wanted = []
        self._db.execute("BEGIN")
        for name, size, title in sources:
            new = self._db.execute(
                "INSERT INTO sources (source, wanted, title) VALUES (?, 1, ?)"
                " ON CONFLICT (source) DO UPDATE SET wanted = 1, title = excluded.title WHERE wanted = 0"
                " RETURNING CASE WHEN final THEN sha256 END",
                (name, title),
            ).fetchone()
            if new is not None:
                wanted.append((name, size, new[0]))
        self._db.execute("COMMIT")
        return wanted

    def have(self, clips: Iterable[tuple[str, str]]) -> None:
        """Note sources that the output has already, and the digest of each; rows of parts are newer."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO sources (source, sha256, final) VALUES (?, ?, 1) ON CONFLICT DO NOTHING", clips
        )
        self._db.execute("COMMIT")

    def had(self) -> Iterator[tuple[str, str]]:
        """Yield the sources of this run that the output has already and that no part has, with their show."""
        yield from self._db.execute("SELECT source, title FROM sources WHERE wanted AND part IS NULL")

    def add(self, rows: list[JsonObject]) -> None:
        """Add rows; they are written with the next part."""
        self._pending += rows
        if len(self._pending) >= PART_ROWS or time.monotonic() - self._written >= PART_S:
            self.flush()

    def flush(self) -> None:
        """Write the added rows as a part."""
        self._written = time.monotonic()
        if not self._pending:
            return
        table = pa.Table.from_pylist(self._pending, self._schema)
        path = self._folder / f"part-{self._next:06d}.parquet"
        with writing(path, self._schema) as writer:
            writer.write_table(table)
        self._files[self._next] = path
        self._record(self._next, 0, table)
        self._next += 1
        self._pending = []

    def _record(self, part: int, first_row: int, rows: pa.RecordBatch | pa.Table) -> None:
        """Record the rows of a part from `first_row` on; a later row of a source replaces an earlier one."""
        columns = [
            rows[name].to_pylist() if name in rows.schema.names else [None] * len(rows) for name in _COLUMNS
        ]
        lines = [
            (*row, row[-1] is None or row[-1] in _FINAL, part, index)
            for index, row in enumerate(zip(*columns, strict=True), start=first_row)
        ]
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO sources (source, sha256, verdict, show, reason, final, part, row)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (source) DO UPDATE SET sha256 = excluded.sha256, verdict = excluded.verdict,"
            " show = excluded.show, reason = excluded.reason, final = excluded.final, part = excluded.part,"
            " row = excluded.row",
            lines,
        )
        self._db.execute("COMMIT")

    def verdicts(self) -> Tally:
        """Count the verdicts of the sources of this run."""
        found = self._db.execute(
            "SELECT verdict, CASE WHEN verdict = 'show' THEN show ELSE '' END AS named, COUNT(*) FROM sources"
            " WHERE wanted AND part IS NOT NULL AND reason IS NULL GROUP BY verdict, named"
        )
        return {(level, show): count for level, show, count in found}

    def reasons(self) -> dict[str, int]:
        """Count the errors of the sources of this run by reason, the most frequent first."""
        found = self._db.execute(
            "SELECT reason, COUNT(*) FROM sources WHERE wanted AND part IS NOT NULL AND reason IS NOT NULL"
            " GROUP BY reason ORDER BY COUNT(*) DESC, reason"
        )
        return dict(found.fetchall())

    def merge(self, *more: Writer) -> None:
        """Write the output, also to `more`, one row for each source of this run, and remove the parts."""
        with writing(self._out, self._schema) as writer:
            for rows, _ in self.rows():
                for each in (writer, *more):
                    each.write_table(rows.replace_schema_metadata(self._schema.metadata))
        self.remove()

    def rows(self) -> Iterator[tuple[pa.Table, list[str | None]]]:
        """Yield the rows of this run, one for each source that a part has, with their shows in the input."""
        self._db.execute("CREATE INDEX IF NOT EXISTS places ON sources (part, row) WHERE wanted")
        for part, path in sorted(self._files.items()):
            for start, batch in _read(path):
                found = self._db.execute(
                    "SELECT row - ?, title FROM sources WHERE part = ? AND row >= ? AND row < ? AND wanted"
                    " ORDER BY row",
                    (start, part, start, start + batch.num_rows),
                ).fetchall()
                if found:
                    rows, titles = zip(*found, strict=True)
                    yield pa.Table.from_batches([batch]).take(list(rows)), list(titles)

    def remove(self) -> None:
        """Remove the parts: the output has what they hold."""
        shutil.rmtree(self._folder)


def _read(path: Path, columns: list[str] | None = None) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the rows of a file in batches, each with the number of its first row."""
    start = 0
    with path.open("rb") as opened, pq.ParquetFile(opened) as file:
        for batch in file.iter_batches(READ_ROWS, columns=columns):
            yield start, batch
            start += batch.num_rows
