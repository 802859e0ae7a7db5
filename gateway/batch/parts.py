"""The rows of a running batch: part files in a folder beside the output, and an index of them.

`labels.parquet.parts/part-000001.parquet` is whole or missing, so a killed run loses no more than the rows of
the part that it was filling. An earlier output counts as the first part: its answers for the same bytes under
the same terms are still valid.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.answer import JsonObject, Tally
from gateway.batch.inputs import Source
from gateway.batch.schema import Writer, check_format, read_terms, with_terms, writing
from services.errors import GifError, UnreadableFile, catalogue, os_reason

PART_ROWS = 1_024
PART_S = 5.0  # a part is written after so many seconds even if it is small
OUTPUT = 0  # the number of the earlier output among the parts
READ_ROWS = 4_096  # of a part, at a time
_COLUMNS = ("source", "sha256", "verdict", "show", "error_reason")  # of a row, in the index
# Errors in the bytes themselves are final; sources with other errors are tried again.
_FINAL = [reason for reason, error in catalogue().items() if issubclass(error, GifError)]


class Ledger:
    """An index in SQLite of every source of a run and the place of its latest row.

    It is made anew from the parts at each start, so a crash cannot damage it, and memory does not grow with
    the input.

    Args:
        path: of the index; an existing file is replaced.
    """

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(
            "CREATE TABLE sources (source TEXT PRIMARY KEY, sha256 TEXT, verdict TEXT, show TEXT,"
            " reason TEXT, final INTEGER, part INTEGER, row INTEGER, wanted INTEGER NOT NULL DEFAULT 0)"
            " WITHOUT ROWID"
        )

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def load(self, part: int, path: Path) -> None:
        """Record the rows of a file; a later row of a source replaces an earlier one."""
        row = 0
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            for batch in file.iter_batches(READ_ROWS, columns=list(_COLUMNS)):
                self.record(part, row, batch)
                row += batch.num_rows

    def record(self, part: int, first_row: int, rows: pa.RecordBatch | pa.Table) -> None:
        """Record the rows of a part that begin at `first_row`."""
        columns = [rows[name].to_pylist() for name in _COLUMNS]
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

    def want(self, sources: Iterable[Source]) -> list[tuple[str, int | None, str | None]]:
        """Note that sources are part of this run; return their name, size, and digest with a valid answer.

        A source that was noted before in this run is left out.
        """
        wanted = []
        self._db.execute("BEGIN")
        for name, size in sources:
            new = self._db.execute(
                "INSERT INTO sources (source, wanted) VALUES (?, 1)"
                " ON CONFLICT (source) DO UPDATE SET wanted = 1 WHERE wanted = 0"
                " RETURNING CASE WHEN final THEN sha256 END",
                (name,),
            ).fetchone()
            if new is not None:
                wanted.append((name, size, new[0]))
        self._db.execute("COMMIT")
        return wanted

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

    def order(self) -> None:
        """Make the index that `rows` needs."""
        self._db.execute("CREATE INDEX places ON sources (part, row) WHERE wanted")

    def rows(self, part: int, start: int, stop: int) -> list[int]:
        """Return the rows of a part within start..stop that are the latest of a source of this run."""
        found = self._db.execute(
            "SELECT row FROM sources WHERE part = ? AND row >= ? AND row < ? AND wanted ORDER BY row",
            (part, start, stop),
        )
        return [row for (row,) in found]


class Parts:
    """The folder of one output; `held` locks it for one process.

    Args:
        out: path of the output.
        terms: what answers depend on beside the bytes; parts with other terms are not used.
    """

    def __init__(self, out: Path, terms: JsonObject) -> None:
        self._out, self._terms = out, terms
        self._schema = with_terms(terms)
        self._folder = out.with_name(f"{out.name}.parts")
        self._files: dict[int, Path] = {}
        self._next = OUTPUT + 1
        self._pending: list[JsonObject] = []
        self._written = time.monotonic()

    @contextlib.contextmanager
    def held(self) -> Iterator[Ledger]:
        """Lock the folder, and yield the ledger of its parts.

        Raises:
            InvalidArgument: the suffix of the output names no format.
            UnreadableFile: the output cannot be written, is not of batch, or another run is writing it.
        """
        check_format(self._out)
        try:
            if self._out.exists() and read_terms(self._out) is None:
                raise UnreadableFile(str(self._out), "it is there already, and is not an output of batch")
            self._folder.mkdir(exist_ok=True)
            lock = (self._folder / "lock").open("w")
        except OSError as error:
            why = f"the output cannot be written: {os_reason(error)}"
            raise UnreadableFile(str(self._out), why) from error
        with lock:
            try:
                # The lock is released when the process ends, however it ends.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UnreadableFile(str(self._out), "another run is writing this output") from error
            try:
                with Ledger(self._folder / "ledger.sqlite") as ledger:
                    self._load(ledger)
                    yield ledger
            finally:
                if self._folder.exists() and not any(self._folder.glob("part-*")):
                    shutil.rmtree(self._folder)  # it holds no answers

    def add(self, rows: list[JsonObject], ledger: Ledger) -> None:
        """Add rows; they are written with the next part."""
        self._pending += rows
        if len(self._pending) >= PART_ROWS or time.monotonic() - self._written >= PART_S:
            self.flush(ledger)

    def flush(self, ledger: Ledger) -> None:
        """Write the added rows as a part."""
        self._written = time.monotonic()
        if not self._pending:
            return
        table = pa.Table.from_pylist(self._pending, self._schema)
        path = self._folder / f"part-{self._next:06d}.parquet"
        with writing(path, self._schema) as writer:
            writer.write_table(table)
        self._files[self._next] = path
        ledger.record(self._next, 0, table)
        self._next += 1
        self._pending = []

    def merge(self, ledger: Ledger, *more: Writer) -> None:
        """Write the output, also to `more`, one row for each source of this run, and remove the parts."""
        ledger.order()
        with writing(self._out, self._schema) as writer:
            for part, path in sorted(self._files.items()):
                self._copy(part, path, ledger, (writer, *more))
        shutil.rmtree(self._folder)

    def _copy(self, part: int, path: Path, ledger: Ledger, writers: Sequence[Writer]) -> None:
        start = 0
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            for batch in file.iter_batches(READ_ROWS):
                rows = ledger.rows(part, start, start + batch.num_rows)
                if rows:
                    kept = pa.Table.from_batches([batch]).take([row - start for row in rows])
                    for writer in writers:
                        writer.write_table(kept.replace_schema_metadata(self._schema.metadata))
                start += batch.num_rows

    def _load(self, ledger: Ledger) -> None:
        found = {int(path.stem[5:]): path for path in self._folder.glob("part-*.parquet")}
        self._next = max(found, default=OUTPUT) + 1
        if self._out.exists():
            found[OUTPUT] = self._out
        for part, path in sorted(found.items()):
            if read_terms(path) == self._terms:
                self._files[part] = path
                ledger.load(part, path)
