"""A worker process of batch: reads sources and returns their rows.

Daft makes one `Worker` in each process, so each process loads the model once. The next files are read while
one is computed; a small batch keeps few of them in memory, whatever the size of the input.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import daft
import pyarrow as pa
from daft.expressions import ExpressionsProjection
from daft.io import IOConfig
from daft.recordbatch import RecordBatch

from gateway.answer import JsonObject, outcome_row
from gateway.batch.inputs import is_stored
from gateway.batch.schema import SCHEMA
from gateway.fetch.address import is_address
from gateway.files import read_gif
from gateway.pipeline import local
from gateway.settings import Settings
from services.errors import (
    AnalyzerError,
    FetchFailed,
    GifTooLarge,
    InternalError,
    LibraryError,
    UnreadableFile,
)
from services.inference import Prediction
from services.names import name_from_text
from services.process import keep_freed_memory

CHANGED = "it was changed while the batch used it: run the same command again, with a copy if others write it"
BATCH_ROWS = 16  # of one call: at most so many files, each within the budget, are in memory
READERS = 4  # files that are read at the same time

# A row, and whether the earlier answer is still valid, so that the row is not written.
ROW = daft.DataType.from_arrow_type(pa.struct([*SCHEMA, pa.field("kept", pa.bool_())]))

_log = logging.getLogger(__name__)


class Worker:
    """Reads and identifies sources; the error of a source becomes its row.

    Args:
        settings: model, limits, and what may be fetched.
        top_k: how many shows to name.
        io_config: how Daft accesses stores.
        library_sha256: of the library at the start of the run. Once it has another, every row is that error.
    """

    def __init__(
        self, settings: Settings, top_k: int, io_config: IOConfig, library_sha256: str | None
    ) -> None:
        keep_freed_memory()  # the worker is a process of its own
        # Ctrl-C reaches every process of a terminal; the parent process decides what ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._settings, self._top_k, self._io_config = settings, top_k, io_config
        self._library_sha256 = library_sha256
        self._pipeline = local(
            settings.model,
            threads=settings.threads,
            early_exit=settings.early_exit,
            library=settings.library,
            budget=settings.budget,
        )
        self._readers = ThreadPoolExecutor(READERS, "read")

    @daft.method.batch(return_dtype=ROW, batch_size=BATCH_ROWS)
    def answer(self, sources: daft.Series, sizes: daft.Series, digests: daft.Series) -> list[JsonObject]:
        """Answer sources: paths, as `services.names` writes them, and addresses.

        Sizes are in bytes, null if not known; digests are sha256 of bytes with a valid answer, else null.
        """
        names = sources.to_pylist()
        if self._library_changed():
            return self._refuse(names)
        contents = self._readers.map(self._read, names, sizes.to_pylist())
        rows = list(map(self._answer_one, names, contents, digests.to_pylist()))
        return self._refuse(names) if self._library_changed() else rows

    def _library_changed(self) -> bool:
        library = self._pipeline.describe().library
        return library is not None and library.sha256 != self._library_sha256

    def _refuse(self, names: list[str]) -> list[JsonObject]:
        error = LibraryError(str(self._settings.library), CHANGED)
        return [outcome_row(name, None, error) | {"kept": False} for name in names]

    def _answer_one(self, name: str, content: bytes | AnalyzerError, digest: str | None) -> JsonObject:
        if isinstance(content, AnalyzerError):
            return outcome_row(name, None, content) | {"kept": False}
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 == digest:
            return {"source": name, "kept": True}
        outcome: Prediction | AnalyzerError
        try:
            outcome = self._pipeline.identify(content, self._top_k)
        except AnalyzerError as error:
            outcome = error
        except Exception:  # a bug that one GIF in millions reveals: the others go on
            _log.exception("cannot answer", extra={"source": name})
            outcome = InternalError()
        return outcome_row(name, sha256, outcome) | {"kept": False}

    def _read(self, name: str, size: int | None) -> bytes | AnalyzerError:
        limit = self._settings.budget.max_bytes
        try:
            if is_stored(name):
                return self._read_store(name, size, limit)
            if is_address(name):
                return self._fetch(name)
            if name == "":
                raise UnreadableFile(name, "it has no name")
            return read_gif(f"./{name}" if name == "-" else name_from_text(name), max_bytes=limit)
        except AnalyzerError as error:
            return error

    def _read_store(self, name: str, size: int | None, limit: int) -> bytes:
        if size is not None and size > limit:
            raise GifTooLarge("length", allowed=limit, found=size, unit="bytes")
        table = RecordBatch.from_arrow_table(pa.table({"name": pa.array([name], pa.string())}))
        download = ExpressionsProjection([daft.col("name").download(io_config=self._io_config)])
        try:
            content: bytes = table.eval_expression_list(download).to_pydict()["name"][0]
        except FileNotFoundError as error:
            raise UnreadableFile(name, "there is no such file") from error
        except Exception as error:  # Daft's errors of a store share no narrower base
            why = (str(error).strip() or "no answer").splitlines()[0]
            raise FetchFailed(name.split("/")[2], why) from error
        if len(content) > limit:
            raise GifTooLarge("length", allowed=limit, found=len(content), unit="bytes")
        return content

    @functools.cached_property
    def _fetch(self) -> Callable[[str], bytes]:
        from gateway.fetch.fetcher import Fetcher  # noqa: PLC0415 - imported when the first address is fetched

        fetch = Fetcher(self._settings.fetch)
        return lambda address: asyncio.run(fetch(address))
