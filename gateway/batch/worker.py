"""The worker processes of batch: they read sources and return their rows.

Daft makes one `Worker` or `Describer` in each process, so each process loads the model once. The next files
are read while one is computed; a small batch keeps few of them in memory, whatever the size of the input.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import daft
import pyarrow as pa
from daft.exceptions import DaftCoreException
from daft.expressions import Expression, ExpressionsProjection
from daft.functions import file, file_size
from daft.io import IOConfig
from daft.recordbatch import RecordBatch

from gateway.answer import JsonObject, outcome_row
from gateway.batch.inputs import is_stored
from gateway.batch.schema import CLIPS, SCHEMA
from gateway.fetch.address import is_address
from gateway.files import read_gif
from gateway.pipeline import describer, local
from gateway.settings import Settings
from services.errors import (
    AnalyzerError,
    FetchFailed,
    GifTooLarge,
    InternalError,
    LibraryError,
    UnreadableFile,
)
from services.names import UNREADABLE, name_from_text, plain_address
from services.process import keep_freed_memory

CHANGED = "it was changed while the batch used it: run the same command again, with a copy if others write it"
BATCH_ROWS = 16  # of one call: at most so many files, each within the budget, are in memory
READERS = 4  # files that are read at the same time

# A row, and whether the earlier answer is still valid, so that the row is not written.
_KEPT = pa.field("kept", pa.bool_())
ROW, CLIP_ROW = (daft.DataType.from_arrow_type(pa.struct([*schema, _KEPT])) for schema in (SCHEMA, CLIPS))

_log = logging.getLogger(__name__)


def _without_query(name: str) -> str:
    """Return what the log says of a source: an address may hold a key."""
    return (plain_address(name) or UNREADABLE) if is_address(name) else name


class _Reader:
    """Reads sources and computes the row of each; the error of a source becomes its row.

    Args:
        settings: limits, and what may be fetched.
        io_config: how Daft accesses stores.
    """

    def __init__(self, settings: Settings, io_config: IOConfig) -> None:
        keep_freed_memory()  # the worker is a process of its own
        # Ctrl-C reaches every process of a terminal; the parent process decides what ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._settings, self._io_config = settings, io_config
        self._readers = ThreadPoolExecutor(READERS, "read")

    def _row(self, name: str, sha256: str | None, content: bytes | AnalyzerError) -> JsonObject:
        """Return the row of a source by its bytes, or by the error of reading them; raises AnalyzerError."""
        raise NotImplementedError

    def _rows(self, sources: daft.Series, sizes: daft.Series, digests: daft.Series) -> list[JsonObject]:
        """Return the rows of sources; see `Worker.answer`."""
        names = sources.to_pylist()
        contents = self._readers.map(self._read, names, sizes.to_pylist())
        return list(map(self._row_or_error, names, contents, digests.to_pylist()))

    def _row_or_error(self, name: str, content: bytes | AnalyzerError, digest: str | None) -> JsonObject:
        if isinstance(content, AnalyzerError):
            return self._row(name, None, content) | {"kept": False}
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 == digest:
            return {"source": name, "kept": True}
        error: AnalyzerError
        try:
            return self._row(name, sha256, content) | {"kept": False}
        except AnalyzerError as found:
            error = found
        except Exception:  # a bug that one GIF in millions reveals: the others go on
            _log.exception("cannot answer", extra={"source": _without_query(name)})
            error = InternalError()
        return self._row(name, sha256, error) | {"kept": False}

    def _read(self, name: str, size: int | None) -> bytes | AnalyzerError:
        limit = self._settings.budget.max_bytes
        try:
            if is_stored(name):
                return self._read_store(name, size, limit)
            if is_address(name):
                return self._fetch(name)
            if name == "":
                raise UnreadableFile(name, "it has no name")
            path = f"./{name}" if name == "-" else name_from_text(name)
            return read_gif(path, max_bytes=limit, regular=True)
        except AnalyzerError as error:
            return error

    def _read_store(self, name: str, size: int | None, limit: int) -> bytes:
        if size is None:  # only listings have it
            with contextlib.suppress(DaftCoreException):  # the download says better what is wrong
                size = self._evaluate(file_size(file(daft.col("name"), io_config=self._io_config)), name)
        if size is not None and size > limit:
            raise GifTooLarge("length", allowed=limit, found=size, unit="bytes")
        try:
            content: bytes = self._evaluate(daft.col("name").download(io_config=self._io_config), name)
        except FileNotFoundError as error:
            raise UnreadableFile(name, "there is no such file") from error
        except Exception as error:  # Daft's errors of a store share no narrower base
            why = (str(error).strip() or "no answer").splitlines()[0]
            raise FetchFailed(name.split("/")[2], why) from error
        if len(content) > limit:
            raise GifTooLarge("length", allowed=limit, found=len(content), unit="bytes")
        return content

    @staticmethod
    def _evaluate(expression: Expression, name: str) -> Any:
        """Return the value of an expression for one name in a store. It runs without Python's lock."""
        table = RecordBatch.from_arrow_table(pa.table({"name": pa.array([name], pa.string())}))
        found = table.eval_expression_list(ExpressionsProjection([expression.alias("found")]))
        return found.to_pydict()["found"][0]

    @functools.cached_property
    def _fetch(self) -> Callable[[str], bytes]:
        from gateway.fetch.fetcher import Fetcher  # noqa: PLC0415 - imported when the first address is fetched

        fetch = Fetcher(self._settings.fetch)
        return lambda address: asyncio.run(fetch(address))


class Worker(_Reader):
    """Reads and identifies sources.

    Args:
        settings: model, library, limits, and what may be fetched.
        io_config: how Daft accesses stores.
        top_k: how many shows to name.
        library_sha256: of the library at the start of the run. Once it has another, every row is that error.
    """

    def __init__(
        self, settings: Settings, io_config: IOConfig, top_k: int, library_sha256: str | None
    ) -> None:
        super().__init__(settings, io_config)
        self._top_k, self._library_sha256 = top_k, library_sha256
        self._pipeline = local(
            settings.model,
            threads=settings.threads,
            early_exit=settings.early_exit,
            library=settings.library,
            budget=settings.budget,
        )

    @daft.method.batch(return_dtype=ROW, batch_size=BATCH_ROWS)
    def answer(self, sources: daft.Series, sizes: daft.Series, digests: daft.Series) -> list[JsonObject]:
        """Answer sources: paths, as `services.names` writes them, and addresses.

        Sizes are in bytes, null if not known; digests are sha256 of bytes with a valid answer, else null.
        """
        if self._library_changed():
            return self._refuse(sources.to_pylist())
        rows = self._rows(sources, sizes, digests)
        return self._refuse(sources.to_pylist()) if self._library_changed() else rows

    def _row(self, name: str, sha256: str | None, content: bytes | AnalyzerError) -> JsonObject:
        if isinstance(content, AnalyzerError):
            return outcome_row(name, sha256, content)
        return outcome_row(name, sha256, self._pipeline.identify(content, self._top_k))

    def _library_changed(self) -> bool:
        library = self._pipeline.describe().library
        return library is not None and library.sha256 != self._library_sha256

    def _refuse(self, names: list[str]) -> list[JsonObject]:
        error = LibraryError(str(self._settings.library), CHANGED)
        return [outcome_row(name, None, error) | {"kept": False} for name in names]


class Describer(_Reader):
    """Reads sources and computes what a library keeps of them.

    Args:
        settings: model, limits, and what may be fetched.
        io_config: how Daft accesses stores.
    """

    def __init__(self, settings: Settings, io_config: IOConfig) -> None:
        super().__init__(settings, io_config)
        self._describe = describer(settings.model, threads=settings.threads, budget=settings.budget)

    @daft.method.batch(return_dtype=CLIP_ROW, batch_size=BATCH_ROWS)
    def answer(self, sources: daft.Series, sizes: daft.Series, digests: daft.Series) -> list[JsonObject]:
        """Describe sources; the arguments are those of `Worker.answer`."""
        return self._rows(sources, sizes, digests)

    def _row(self, name: str, sha256: str | None, content: bytes | AnalyzerError) -> JsonObject:
        row: JsonObject = {"source": name, "sha256": sha256}
        if isinstance(content, AnalyzerError):
            return row | {"error_reason": content.reason, "error_message": content.message}
        clip = self._describe(content, name)
        return row | {
            "times_ms": list(clip.times_ms),
            "embedding": clip.embedding.tobytes(),
            "fingerprints": clip.fingerprints.tobytes(),
            "distinct": clip.distinct.tobytes(),
        }
