"""Millions of GIFs: **an input** -> sources -> Daft's workers -> rows -> parts -> **one file**.

The same plan runs on Daft's own engine on this machine or on a Ray cluster. It is run in rounds of so many
sources: a round is what memory holds of the input, and within it answers flow back as they are made.
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
from typing import Protocol

import daft
import pyarrow as pa
from daft.io import IOConfig, S3Config

from gateway.answer import JsonObject, Tally
from gateway.batch.inputs import Source, is_stored, list_sources
from gateway.batch.ledger import Ledger
from gateway.batch.parts import Parts
from gateway.batch.report import Report, check_report, write_page
from gateway.batch.worker import Worker, WorkerSettings
from gateway.settings import Settings
from services.errors import CannotServe, UnreadableFile
from services.inference import Classifier

ROUND_ROWS = 50_000  # sources of a round, about 10 MB; each round starts its workers anew
PARTITION_ROWS = 256  # sources that Ray hands to a worker at a time
_SENT = pa.schema([("source", pa.string()), ("size", pa.int64()), ("digest", pa.string())])


@dataclass(frozen=True)
class BatchOptions:
    """What is asked.

    Attributes:
        given: the input, as `list_sources` understands it.
        out: path of the output, whose ending names its format.
        top_k: how many shows to name, at least 1.
        workers: processes that compute; None is one for each processor, of this machine or of the cluster.
        ray: address of a Ray cluster; "local" starts one here; None is Daft's own engine.
        s3_endpoint: address of a store that speaks S3, in place of Amazon's.
        report: path of a page about the answers; None writes none.
        round_rows: sources of a round.
    """

    given: str
    out: Path
    top_k: int = 5
    workers: int | None = None
    ray: str | None = None
    s3_endpoint: str | None = None
    report: Path | None = None
    round_rows: int = ROUND_ROWS


@dataclass(frozen=True)
class BatchSummary:
    """What came of it.

    Attributes:
        kept: sources whose answer, or error, of an earlier run holds.
        verdicts: how many were given each verdict.
        reasons: how many failed for each reason, the most frequent first.
    """

    kept: int
    verdicts: Tally
    reasons: dict[str, int]

    @property
    def answered(self) -> int:
        """Sources with an answer, those from before among them."""
        return sum(self.verdicts.values())

    @property
    def failed(self) -> int:
        """Sources with an error."""
        return sum(self.reasons.values())


class Progress(Protocol):
    """Is told how far a run is: sources done so far, of how many; None where that is not known yet."""

    def __call__(self, done: int, total: int | None, /) -> None:
        """Show that `done` of `total` sources are done."""


class BatchInterrupted(KeyboardInterrupt):
    """Ctrl-C, after what was answered is on the disk.

    Attributes:
        done: sources that were answered or have failed in this run.
    """

    def __init__(self, done: int) -> None:
        super().__init__()
        self.done = done


def run_batch(
    options: BatchOptions, settings: Settings, progress: Progress = lambda done, total: None
) -> BatchSummary:
    """Answer every source of the input and write the output, which is whole or as it was before.

    Args:
        options: what is asked.
        settings: model, limits, and what may be fetched.
        progress: called whenever sources were done, first with none.

    Raises:
        BatchInterrupted: the same options go on from there.
        InvalidArgument: the name of the output or of the report.
        UnreadableFile: the input or the output is none.
        ModelError: the model is none.
        CannotServe: there is no such Ray cluster.
    """
    Classifier(settings.model, early_exit=settings.early_exit)  # one that is none is told now, not by workers
    io_config = IOConfig(s3=S3Config(endpoint_url=options.s3_endpoint)) if options.s3_endpoint else IOConfig()
    worker = WorkerSettings(
        settings.model.absolute(),
        settings.threads,
        settings.early_exit,
        settings.budget,
        settings.fetch,
        options.top_k,
        io_config,
    )
    if options.report is not None:
        check_report(options.report)
    parts = Parts(options.out, _terms(worker))
    with parts.held() as ledger:
        run = _choose_engine(options, worker)
        kept = done = 0
        # The listing of a store is asked for once: it may cost money, and Daft holds it whole.
        stored = is_stored(options.given)
        total = None if stored else sum(1 for _ in list_sources(options.given, io_config))
        try:
            progress(done, total)
            for sources in _rounds(list_sources(options.given, io_config), options.round_rows, ledger):
                try:
                    for rows in run(sources):
                        new = [row for row in rows if not row.pop("kept")]
                        kept += len(rows) - len(new)
                        parts.add(new, ledger)
                        done += len(rows)
                        progress(done, total)
                finally:  # also when it is interrupted: what is answered is not answered again
                    parts.flush(ledger)
        except KeyboardInterrupt as error:
            raise BatchInterrupted(done) from error
        summary = BatchSummary(kept, ledger.verdicts(), ledger.reasons())
        if not summary.answered + summary.failed:
            raise UnreadableFile(options.given, "it names no GIF")
        if options.report is None:
            parts.merge(ledger)
        else:
            report = Report(settings.budget)
            parts.merge(ledger, report)
            write_page(report.page(options.out), options.report)
    return summary


def _terms(worker: WorkerSettings) -> JsonObject:
    """What an answer depends on beside the bytes."""
    model = hashlib.sha256(worker.model.read_bytes()).hexdigest()
    terms = {"model_sha256": model, "top_k": worker.top_k, "budget": dataclasses.asdict(worker.budget)}
    # Said only where it is so: files written before there was a choice hold what looking at all frames gave.
    return terms | {"early_exit": True} if worker.early_exit else terms


def _rounds(sources: Iterator[Source], rows: int, ledger: Ledger) -> Iterator[pa.Table]:
    while some := list(itertools.islice(sources, rows)):
        wanted = ledger.want(some)
        if wanted:
            yield pa.table([list(column) for column in zip(*wanted, strict=True)], schema=_SENT)


def _choose_engine(
    options: BatchOptions, settings: WorkerSettings
) -> Callable[[pa.Table], Iterator[list[JsonObject]]]:
    """Make the function that answers a round, a few rows at a time, on the engine that is asked for."""
    if options.ray is None:
        _use_native_engine()
        workers = options.workers or len(os.sched_getaffinity(0))
    else:
        processors = _join_ray(options.ray)
        workers = options.workers or processors

    def run(sources: pa.Table) -> Iterator[list[JsonObject]]:
        frame = daft.from_arrow(sources)
        if options.ray is not None:
            # A partition flows back as a whole: small ones lose little when the run is killed.
            frame = frame.into_partitions(max(workers, math.ceil(len(sources) / PARTITION_ROWS)))
        worker = daft.cls(Worker, max_concurrency=workers, use_process=True)(settings)
        answers = frame.select(worker.answer(frame["source"], frame["size"], frame["digest"]).alias("row"))
        for batch in answers.to_arrow_iter():
            yield batch.column(0).to_pylist()

    return run


@functools.cache  # Daft takes an engine once in a process
def _use_native_engine() -> None:
    # It calls it an error that counters of its own are not at their end when a run is interrupted.
    logging.getLogger("daft_local_execution.runtime_stats").setLevel(logging.CRITICAL)
    daft.set_runner_native()


def _join_ray(address: str) -> int:
    """Join or start a cluster, and count its processors."""
    import ray  # noqa: PLC0415 - an extra of its own

    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        why = (str(error).strip() or "no such Ray cluster").splitlines()[0]
        raise CannotServe(address, why) from error
    daft.set_runner_ray(noop_if_initialized=True)
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))
