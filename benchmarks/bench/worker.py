"""Measures one contender in a process of its own, told what to do by JSON lines on standard input.

    {"do": "prepare", "subject": "MODULE:NAME", "options": {…}}  ->  {"version": "…"}
    {"do": "check", "item": "…"}                                 ->  {"answer": …}
    {"do": "run", "item": "…", "times": 3}                       ->  {"seconds": 0.012}   of one time

A line that fails is answered by {"error": "…"}. The end of the input ends the process. This module runs in
the environments of peers: it imports nothing but the standard library and the subject.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

CORE = "BENCHMARK_CORE"  # the processor that this process keeps to


@dataclass(frozen=True)
class Subject:
    """A contender as the worker runs it: how to load an item, what to time, and how to check the result."""

    version: str  # of the library that does the work
    run: Callable[[Any], Any]  # what is timed; takes what `load` returned
    load: Callable[[str], Any] = str  # item -> argument of `run`; not timed, and called once for each item
    # result of `run` -> answer to compare with those of others, None if it is not compared. Raises ValueError
    # for an invalid result.
    check: Callable[[Any], Any] = lambda answer: None
    close: Callable[[], object] = lambda: None  # ends what the subject started
    units: int = 1  # how many units of work one `run` does


class Worker:
    """The three commands of the protocol, for one subject.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._subject: Subject | None = None
        self._loaded: dict[str, Any] = {}

    def answer(self, line: str) -> dict[str, Any]:
        """Do what a line says and return the reply; every exception becomes an error reply."""
        try:
            return self._do(json.loads(line))
        except Exception as error:  # whatever a peer raises is the reason for its absence
            text = " ".join(str(error).split()) or "no message"
            return {"error": f"{type(error).__name__}: {text}"[:300]}

    def close(self) -> None:
        """End what the subject started."""
        if self._subject is not None:
            self._subject.close()

    def _do(self, message: Mapping[str, Any]) -> dict[str, Any]:
        if message["do"] == "prepare":
            module, _, name = message["subject"].partition(":")
            self._subject = getattr(importlib.import_module(module), name)(**message["options"])
            return {"version": self._subject.version}
        if self._subject is None:
            raise RuntimeError("not prepared")
        item, run = message["item"], self._subject.run
        if item not in self._loaded:
            self._loaded[item] = self._subject.load(item)
        loaded = self._loaded[item]
        if message["do"] == "check":
            return {"answer": self._subject.check(run(loaded))}
        if message["do"] == "run":
            times = range(message["times"])
            start = self._clock()
            for _ in times:
                run(loaded)
            return {"seconds": (self._clock() - start) / len(times) / self._subject.units}
        raise ValueError(f"unknown command {message['do']}")


def converse(worker: Worker, lines: IO[str], replies: IO[str]) -> None:
    """Answer each line with a line, then close the worker."""
    try:
        for line in lines:
            replies.write(json.dumps(worker.answer(line)) + "\n")
            replies.flush()
    finally:
        worker.close()


def main() -> None:
    """Converse over standard input and output; what libraries print goes to standard error."""
    if core := os.environ.get(CORE):
        os.sched_setaffinity(0, {int(core)})
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    converse(Worker(), sys.stdin, replies)


if __name__ == "__main__":
    main()
