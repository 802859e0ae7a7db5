"""What was answered already: **part files** -> an index on the disk -> **answers that hold, and where**.

One line for each source, in a SQLite file that is made anew from the parts at each start: nothing depends on
it after a crash, and memory does not grow with the input.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.answer import Tally
from gateway.batch.inputs import Source
from services.errors import GifError, catalogue

_COLUMNS = ("source", "sha256", "verdict", "show", "error_reason")  # of a row, that it is known by
READ_ROWS = 4_096  # of a part, at a time

# What is wrong with the bytes themselves stays so; what else went wrong is tried again.
_FINAL = [reason for reason, error in catalogue().items() if issubclass(error, GifError)]


class Ledger:
    """Knows every source of a run and where its latest row lies.

    Args:
        path: of the index; what is there is replaced.
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
        """Take in the rows of a file; a later row of a source stands for an earlier one."""
        row = 0
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            for batch in file.iter_batches(READ_ROWS, columns=list(_COLUMNS)):
                self.record(part, row, batch)
                row += batch.num_rows

    def record(self, part: int, first_row: int, rows: pa.RecordBatch | pa.Table) -> None:
        """Take in rows that lie in a part from a row on."""
        lines = [
            (
                source,
                sha256,
                verdict,
                show,
                reason,
                reason is None or reason in _FINAL,
                part,
                first_row + index,
            )
            for index, (source, sha256, verdict, show, reason) in enumerate(
                zip(*(rows[name].to_pylist() for name in _COLUMNS), strict=True)
            )
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
        """Note that sources are asked about: name, size, digest for which there is an answer that holds.

        A source that was wanted before in this run is left out.
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
        """How many of the wanted sources were given each verdict."""
        found = self._db.execute(
            "SELECT verdict, CASE WHEN verdict = 'show' THEN show ELSE '' END AS named, COUNT(*) FROM sources"
            " WHERE wanted AND part IS NOT NULL AND reason IS NULL GROUP BY verdict, named"
        )
        return {(level, show): count for level, show, count in found}

    def reasons(self) -> dict[str, int]:
        """How many of the wanted sources failed for each reason, the most frequent first."""
        found = self._db.execute(
            "SELECT reason, COUNT(*) FROM sources WHERE wanted AND part IS NOT NULL AND reason IS NOT NULL"
            " GROUP BY reason ORDER BY COUNT(*) DESC, reason"
        )
        return dict(found.fetchall())

    def order(self) -> None:
        """Prepare for `rows`."""
        self._db.execute("CREATE INDEX places ON sources (part, row) WHERE wanted")

    def rows(self, part: int, start: int, stop: int) -> list[int]:
        """Rows start..stop of a part that are the latest of a source that is wanted."""
        found = self._db.execute(
            "SELECT row FROM sources WHERE part = ? AND row >= ? AND row < ? AND wanted ORDER BY row",
            (part, start, stop),
        )
        return [row for (row,) in found]
