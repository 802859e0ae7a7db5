"""Starts the worker process of a contender, and sends it commands."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.bench.environments import Absent, interpreter
from benchmarks.bench.worker import CORE

REPLY_S = 180.0  # to import a framework, to load a model, or to start a server, on a busy machine
SERVER_CORE = "BENCHMARK_SERVER_CORE"  # the processor that servers which a worker starts keep to
END_S = 20.0  # for a worker to end what it started

# One thread; each library reads some of these.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "VIPS_CONCURRENCY": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
}


class CannotMeasure(Exception):
    """A contender cannot do one item; the message says why."""


@dataclass(frozen=True)
class Contender:
    """Something that takes part in a section."""

    name: str  # shown in tables
    subject: str  # MODULE:NAME of a function that makes a `benchmarks.bench.worker.Subject`
    options: Mapping[str, Any] = field(default_factory=dict)  # arguments of the function, as JSON
    environment: str | None = None  # where it is installed; None is the project's own environment
    note: str = ""  # what a reader must know to judge its times


def core(position: int) -> int:
    """Return a processor that this process may use: 0 is the first, -1 the last."""
    return sorted(os.sched_getaffinity(0))[position]


class WorkerProcess:
    """A contender in a process of its own, on the last processor of this machine.

    Its methods raise CannotMeasure, or Absent if the process ended or does not answer.

    Args:
        contender: to measure.
        log: file for whatever it prints.

    Raises:
        Absent: it cannot take part; says why.
    """

    def __init__(self, contender: Contender, log: Path) -> None:
        python = interpreter(contender.environment) if contender.environment else Path(sys.executable)
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as printed:
            self._process = subprocess.Popen(
                [str(python), "-m", "benchmarks.bench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=printed,
                cwd=ROOT,
                env={
                    **os.environ,
                    **ONE_THREAD,
                    "PYTHONPATH": str(ROOT),
                    CORE: str(core(-1)),
                    SERVER_CORE: str(core(0)),
                },
            )
        try:
            prepared = self._send(do="prepare", subject=contender.subject, options=dict(contender.options))
        except BaseException as error:
            self.close()
            if isinstance(error, CannotMeasure):
                raise Absent(str(error)) from error
            raise
        self.version = str(prepared["version"])

    def check(self, item: str) -> Any:
        """Do an item once and return its answer."""
        return self._send(do="check", item=item)["answer"]

    def run(self, item: str, times: int) -> float:
        """Do an item so many times; return the mean in seconds."""
        return float(self._send(do="run", item=item, times=times)["seconds"])

    def close(self) -> None:
        """Close its input, which ends it and what it started; kill it if it does not end in time."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _send(self, **message: Any) -> dict[str, Any]:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        if pipe_in is None or pipe_out is None:
            raise Absent("it has no pipes")
        try:
            pipe_in.write(json.dumps(message).encode() + b"\n")
            pipe_in.flush()
        except OSError as error:
            raise Absent(self._how_it_ended()) from error
        with selectors.DefaultSelector() as selector:
            selector.register(pipe_out, selectors.EVENT_READ)
            if not selector.select(REPLY_S):
                self._process.kill()
                raise Absent(f"no answer within {REPLY_S:.0f} s to {message['do']}")
        line = pipe_out.readline()  # a reply is written whole
        if not line:
            raise Absent(self._how_it_ended())
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise CannotMeasure(reply["error"])
        return reply

    def _how_it_ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        printed = [line for line in self._log.read_text("utf-8", "replace").splitlines() if line.strip()]
        last = f": {printed[-1].strip()[:200]}" if printed else ""
        return f"its process ended with {self._process.returncode}{last}"
