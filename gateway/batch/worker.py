"""One worker process of batch: **sources, digests of what was answered before** -> **rows**.

Daft makes one `Worker` in each process, so a model is loaded once there. The next files are read while one is
computed; a small batch holds few of them, whatever the size of the whole input.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import daft
import pyarrow as pa
from daft.expressions import ExpressionsProjection
from daft.io import IOConfig
from daft.recordbatch import RecordBatch

from gateway.answer import JsonObject, answer_row, error_row
from gateway.batch.inputs import is_stored
from gateway.batch.schema import SCHEMA
from gateway.fetch.address import is_address
from gateway.fetch.settings import FetchSettings
from gateway.files import read_gif
from gateway.pipeline import local
from services.errors import AnalyzerError, FetchFailed, GifTooLarge, InternalError, UnreadableFile
from services.names import name_from_text
from services.preprocess import Budget
from services.process import keep_freed_memory

BATCH_ROWS = 16  # that one call takes: at most so many files, each within the budget, are in memory
READERS = 4  # files that are read at the same time

# A row, and whether it need not be written because the answer that there is holds.
ROW = daft.DataType.from_arrow_type(pa.struct([*SCHEMA, pa.field("kept", pa.bool_())]))

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is made of; it goes to wherever the worker runs.

    Attributes:
        model: path of the model file, as the worker's machine sees it.
        threads: that one classification may use.
        early_exit: whether a classification may stop when the first frames decide.
        budget: what a GIF may cost.
        fetch: what may be fetched by http and https.
        top_k: how many shows to name.
        io_config: how Daft reaches stores.
    """

    model: Path
    threads: int
    early_exit: bool
    budget: Budget
    fetch: FetchSettings
    top_k: int
    io_config: IOConfig


class Worker:
    """Reads and identifies; what goes wrong with one source is its row."""

    def __init__(self, settings: WorkerSettings) -> None:
        keep_freed_memory()  # the worker is a process of its own
        # Ctrl-C reaches every process of a terminal; the one that started this one decides what ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._settings = settings
        self._pipeline = local(
            settings.model, threads=settings.threads, early_exit=settings.early_exit, budget=settings.budget
        )
        self._readers = ThreadPoolExecutor(READERS, "read")

    @daft.method.batch(return_dtype=ROW, batch_size=BATCH_ROWS)
    def answer(self, sources: daft.Series, sizes: daft.Series, digests: daft.Series) -> list[JsonObject]:
        """Answer some sources.

        Args:
            sources: paths, as `services.names` writes them, and addresses.
            sizes: in bytes, null where nobody told.
            digests: sha256 of the bytes for which there is an answer that holds, else null.
        """
        names = sources.to_pylist()
        contents = self._readers.map(self._read, names, sizes.to_pylist())
        return [
            self._answer_one(name, content, digest)
            for name, content, digest in zip(names, contents, digests.to_pylist(), strict=True)
        ]

    def _answer_one(self, name: str, content: bytes | AnalyzerError, digest: str | None) -> JsonObject:
        if isinstance(content, AnalyzerError):
            return error_row(name, None, content) | {"kept": False}
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 == digest:
            return {"source": name, "kept": True}
        try:
            row = answer_row(name, sha256, self._pipeline.identify(content, self._settings.top_k))
        except AnalyzerError as error:
            row = error_row(name, sha256, error)
        except Exception:  # a fault of ours with one GIF in millions: it is told, and the others go on
            _log.exception("cannot answer", extra={"source": name})
            row = error_row(name, sha256, InternalError())
        return row | {"kept": False}

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
        download = ExpressionsProjection([daft.col("name").download(io_config=self._settings.io_config)])
        try:
            content: bytes = table.eval_expression_list(download).to_pydict()["name"][0]
        except FileNotFoundError as error:
            raise UnreadableFile(name, "there is no such file") from error
        except Exception as error:  # Daft's errors of a store share no narrower base
            raise FetchFailed(
                name.split("/")[2], (str(error).strip() or "no answer").splitlines()[0]
            ) from error
        if len(content) > limit:
            raise GifTooLarge("length", allowed=limit, found=len(content), unit="bytes")
        return content

    @functools.cached_property
    def _fetch(self) -> Callable[[str], bytes]:
        from gateway.fetch.fetcher import Fetcher  # noqa: PLC0415 - it is imported where an address is met

        fetch = Fetcher(self._settings.fetch)
        return lambda address: asyncio.run(fetch(address))
