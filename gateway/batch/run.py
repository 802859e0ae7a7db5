"""Runs a batch: lists the sources, has Daft's workers answer them, and writes one file.

The same plan runs on Daft's own engine on this machine or on a Ray cluster. It runs in rounds of so many
sources: memory holds one round of the input, and within it answers arrive as they are computed.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import logging
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import daft
import pyarrow as pa
from daft.io import IOConfig, S3Config

from gateway.answer import JsonObject, Tally
from gateway.batch.inputs import Source, is_stored, list_sources
from gateway.batch.parts import Parts, open_parts
from gateway.batch.report import Report, check_report
from gateway.batch.worker import CHANGED, Describer, Worker
from gateway.settings import RestSettings, Settings
from services.errors import CannotServe, LibraryError, UnreadableFile
from services.files import write_text
from services.inference import Classifier

ROUND_ROWS = 50_000  # sources of a round, about 10 MB; each round starts its workers anew
PARTITION_ROWS = 256  # sources that Ray hands to a worker at a time
_SENT = pa.schema([("source", pa.string()), ("size", pa.int64()), ("digest", pa.string())])

# Computes the rows of a round, a few at a time.
Engine = Callable[[pa.Table], Iterator[list[JsonObject]]]
# Called with the number of sources done so far and of all; None where that is not known.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class BatchSummary:
    """The result of a run.

    Attributes:
        kept: sources whose answer or error of an earlier run is still valid.
        verdicts: how many got each verdict.
        reasons: how many failed for each reason, the most frequent first.
    """

    kept: int
    verdicts: Tally
    reasons: dict[str, int]

    @property
    def answered(self) -> int:
        """Number of sources with an answer, including kept ones."""
        return sum(self.verdicts.values())

    @property
    def failed(self) -> int:
        """Number of sources with an error."""
        return sum(self.reasons.values())


class BatchInterrupted(KeyboardInterrupt):
    """Ctrl-C, after the answers and errors of `done` sources are on the disk."""

    def __init__(self, done: int) -> None:
        super().__init__()
        self.done = done


def run_batch(
    given: str,
    out: Path,
    settings: Settings,
    *,
    top_k: int,
    workers: int | None,
    ray: str | None,
    s3_endpoint: str | None,
    report: Path | None,
    progress: Progress,
) -> BatchSummary:
    """Answer every source of an input and write the output, which is whole or as it was before.

    Args:
        given: the input of `list_sources`.
        out: path of the output, whose suffix names its format.
        settings: model, limits, and what may be fetched.
        top_k: how many shows to name, at least 1.
        workers: processes that compute; None is one for each processor of this machine or of the cluster.
        ray: address of a Ray cluster; "local" starts one here; None is Daft's own engine.
        s3_endpoint: address of an S3-compatible store, in place of Amazon's.
        report: path of the HTML report; None writes none.
        progress: called whenever sources are done, first with none.

    Raises:
        BatchInterrupted: by Ctrl-C; a run with the same options continues from there.
        InvalidArgument: the name of the output or of the report is invalid.
        UnreadableFile: the input cannot be read, or the output cannot be written.
        ModelError: the model cannot be loaded.
        LibraryError: the library cannot be used with the model, or was changed during the run.
        CannotServe: there is no such Ray cluster.
    """
    # Checked now, not by the workers.
    library = Classifier(settings.model, early_exit=settings.early_exit, library=settings.library).library
    library_sha256 = library.sha256 if library else None
    io_config = store_config(s3_endpoint)
    if report is not None:
        check_report(report)
    with open_parts(out, _terms(settings, top_k, library_sha256)) as parts:
        given_to_each = top_k, library_sha256
        run = choose_engine(Worker, workers, ray, (sent_settings(settings), io_config, *given_to_each))

        def listed() -> Iterator[Source]:
            return list_sources(given, io_config)

        # A store is listed only once: it may cost money, and Daft holds the whole listing.
        total = None if is_stored(given) else sum(1 for _ in listed())
        kept = compute(listed(), total, parts, run, library=settings.library, progress=progress)
        summary = BatchSummary(kept, parts.verdicts(), parts.reasons())
        if not summary.answered + summary.failed:
            raise UnreadableFile(given, "it names no GIF")
        page = Report(settings.budget)
        parts.merge(*([] if report is None else [page]))
        if report is not None:
            write_text(report, "".join(page.page(out)))
    return summary


def compute(
    sources: Iterator[Source],
    total: int | None,
    parts: Parts,
    run: Engine,
    *,
    library: Path | None,
    progress: Progress,
) -> int:
    """Compute the rows of sources and add them to the parts; return how many earlier ones are still valid.

    Args:
        sources: of the input.
        total: their number; None if it is not known.
        parts: of the output.
        run: from `choose_engine`.
        library: that the rows depend on, or None.
        progress: called whenever sources are done, first with none.

    Raises:
        BatchInterrupted: by Ctrl-C.
        LibraryError: the library was changed during the run.
    """
    kept = done = 0
    changed = False  # the library, since the run began
    try:
        progress(done, total)
        for some in _rounds(sources, parts):
            try:
                for rows in run(some):
                    new = [row for row in rows if not row.pop("kept")]
                    changed |= any(row.get("error_reason") == LibraryError.reason for row in new)
                    if changed:  # the workers answer no more; Daft would crash if it were left midway
                        continue
                    kept += len(rows) - len(new)
                    parts.add(new)
                    done += len(rows)
                    progress(done, total)
            finally:  # also when interrupted, so that nothing is answered twice
                parts.flush()
            if changed:
                raise LibraryError(str(library), CHANGED)
    except KeyboardInterrupt as error:
        raise BatchInterrupted(done) from error
    return kept


def store_config(s3_endpoint: str | None) -> IOConfig:
    """Say how Daft accesses stores: an S3-compatible one at an address, or Amazon's."""
    return IOConfig(s3=S3Config(endpoint_url=s3_endpoint)) if s3_endpoint else IOConfig()


def sent_settings(settings: Settings) -> Settings:
    """Return what workers on other machines get: absolute paths, and no API keys."""
    return dataclasses.replace(
        settings,
        model=settings.model.absolute(),
        library=settings.library and settings.library.absolute(),
        rest=RestSettings(),
    )


def base_terms(settings: Settings) -> JsonObject:
    """Return what every row depends on beside the bytes: the model and the limits."""
    model = hashlib.sha256(settings.model.read_bytes()).hexdigest()
    return {"model_sha256": model, "budget": dataclasses.asdict(settings.budget)}


def _terms(settings: Settings, top_k: int, library_sha256: str | None) -> JsonObject:
    """Return what answers depend on beside the bytes."""
    terms = base_terms(settings) | {"top_k": top_k}
    # Options that were added later are only named where they are used, so that earlier files stay valid.
    if settings.early_exit:
        terms["early_exit"] = True
    if library_sha256 is not None:
        terms["library_sha256"] = library_sha256
    return terms


def _rounds(sources: Iterator[Source], parts: Parts) -> Iterator[pa.Table]:
    while some := list(itertools.islice(sources, ROUND_ROWS)):
        wanted = parts.want(some)
        if wanted:
            yield pa.table([list(column) for column in zip(*wanted, strict=True)], schema=_SENT)


def choose_engine(
    kind: type[Worker | Describer], workers: int | None, ray: str | None, given: tuple[object, ...]
) -> Engine:
    """Return a function that computes the rows of a round, a few at a time.

    Args:
        kind: of the workers.
        workers: how many processes; None is one for each processor of this machine or of the cluster.
        ray: address of a Ray cluster; "local" starts one here; None is Daft's own engine.
        given: what each worker is made of.

    Raises:
        CannotServe: there is no such Ray cluster.
    """
    if ray is None:
        _use_native_engine()
        most = workers or len(os.sched_getaffinity(0))
    else:
        processors = _join_ray(ray)
        most = workers or processors

    def run(sources: pa.Table) -> Iterator[list[JsonObject]]:
        frame = daft.from_arrow(sources)
        if ray is not None:
            # A partition returns as a whole: with small ones little is lost when the run is killed.
            frame = frame.into_partitions(max(most, math.ceil(len(sources) / PARTITION_ROWS)))
        worker = daft.cls(kind, max_concurrency=most, use_process=True)(*given)
        answers = frame.select(worker.answer(frame["source"], frame["size"], frame["digest"]).alias("row"))
        for batch in answers.to_arrow_iter():
            yield batch.column(0).to_pylist()

    return run


@functools.cache  # Daft accepts an engine once in a process
def _use_native_engine() -> None:
    # It logs an error about its own counters when a run is interrupted.
    logging.getLogger("daft_local_execution.runtime_stats").setLevel(logging.CRITICAL)
    daft.set_runner_native()


def _join_ray(address: str) -> int:
    """Join or start a cluster, and return the number of its processors."""
    import ray  # noqa: PLC0415 - an extra of its own

    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        why = (str(error).strip() or "no such Ray cluster").splitlines()[0]
        raise CannotServe(address, why) from error
    daft.set_runner_ray(noop_if_initialized=True)
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))
