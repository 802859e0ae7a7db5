"""What is measured, as a process of its own: **JSON lines in** -> prepare, check, run -> **JSON lines out**.

    {"do": "prepare", "subject": "MODULE:NAME", "options": {…}}  ->  {"version": "…"}
    {"do": "check", "item": "…"}                                 ->  {"answer": …}
    {"do": "run", "item": "…", "times": 3}                       ->  {"seconds": 0.012}   of one

A line that fails is answered by {"error": "…"}. The end of the input ends the process. This side runs in the
environments of peers: it imports nothing but the standard library and the subject.
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


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Subject:
    """Something to measure.

    Attributes:
        version: of the library that does the work.
        run: what is timed; takes what `load` gave.
        load: item -> what `run` takes; not timed, kept for later runs.
        check: what `run` gave -> an answer to compare with others', None where there is nothing to compare.
            Raises ValueError when it is not what it should be.
        close: ends what it started.
        units: how many of what is counted are done by one `run`.
    """

    version: str
    run: Callable[[Any], Any]
    load: Callable[[str], Any] = str
    check: Callable[[Any], Any] = lambda answer: None
    close: Callable[[], None] = _nothing
    units: int = 1


class Worker:
    """The three verbs of the protocol, for one subject.

    Args:
        clock: seconds, ever increasing.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._subject: Subject | None = None
        self._loaded: dict[str, Any] = {}

    def answer(self, line: str) -> dict[str, Any]:
        """Do what a line asks; every error becomes a reply, so that the other side can say what happened."""
        try:
            return self._do(json.loads(line))
        except Exception as error:  # whatever a peer raises is its reason to be absent
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
        run, given = self._subject.run, self._load(message["item"])
        if message["do"] == "check":
            return {"answer": self._subject.check(run(given))}
        if message["do"] == "run":
            times = range(message["times"])
            start = self._clock()
            for _ in times:
                run(given)
            return {"seconds": (self._clock() - start) / len(times) / self._subject.units}
        raise ValueError(f"it cannot {message['do']}")

    def _load(self, item: str) -> Any:
        if self._subject is not None and item not in self._loaded:
            self._loaded[item] = self._subject.load(item)
        return self._loaded[item]


def converse(worker: Worker, lines: IO[str], replies: IO[str]) -> None:
    """Answer each line by a line until there are no more."""
    try:
        for line in lines:
            replies.write(json.dumps(worker.answer(line)) + "\n")
            replies.flush()
    finally:
        worker.close()


def main() -> None:
    """Converse over standard input and output; whatever libraries print goes to standard error."""
    if core := os.environ.get(CORE):
        os.sched_setaffinity(0, {int(core)})
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    converse(Worker(), sys.stdin, replies)


if __name__ == "__main__":
    main()
