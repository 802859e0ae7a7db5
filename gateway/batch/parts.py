"""The rows of a run while it runs: a folder beside the output, **rows -> part files -> one output**.

`labels.parquet.parts/part-000001.parquet` is whole or not there, so a killed run loses no more than the rows
of the part that it was filling. An earlier output counts as the first part: what it says of the same bytes
under the same terms holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.answer import JsonObject
from gateway.batch.ledger import READ_ROWS, Ledger
from gateway.batch.schema import Writer, check_format, read_terms, with_terms, writing
from services.errors import UnreadableFile, os_reason

PART_ROWS = 1_024
PART_S = 5.0  # a part is written after so many seconds even if it is small
OUTPUT = 0  # the number of the earlier output among the parts


class Parts:
    """The folder of one output; one process at a time holds it, as `held` sees to.

    Args:
        out: path of the output.
        terms: what the answers depend on beside the bytes; parts of other terms are not used.
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
        """Hold the folder, and yield the ledger of what is in it.

        Raises:
            InvalidArgument: the output is of no format that is known.
            UnreadableFile: the output cannot be written here, is no file of ours, or another run is at it.
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
                fcntl.flock(
                    lock, fcntl.LOCK_EX | fcntl.LOCK_NB
                )  # it ends with the process, however that ends
            except BlockingIOError as error:
                raise UnreadableFile(str(self._out), "another run is writing this output") from error
            try:
                with Ledger(self._folder / "ledger.sqlite") as ledger:
                    self._load(ledger)
                    yield ledger
            finally:
                if self._folder.exists() and not any(self._folder.glob("part-*")):
                    shutil.rmtree(self._folder)  # nothing in it is worth going on from

    def add(self, rows: list[JsonObject], ledger: Ledger) -> None:
        """Take rows; they are on the disk by the next part at the latest."""
        self._pending += rows
        if len(self._pending) >= PART_ROWS or time.monotonic() - self._written >= PART_S:
            self.flush(ledger)

    def flush(self, ledger: Ledger) -> None:
        """Write what waits as a part."""
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
        """Write the output, one row for each source that is wanted, and remove the parts.

        Args:
            ledger: of this run.
            more: these get the same rows.
        """
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
