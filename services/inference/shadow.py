"""Asks a challenger beside the model in use, for a share of the clips, and logs whether they agree.

The challenger answers nobody. It runs in one thread of its own, at the lowest priority, after the answer was
made; while it is busy, further clips are passed over and counted.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from services.clip import Clip
from services.errors import AnalyzerError
from services.inference.classifier import Classifier
from services.inference.prediction import Level, Prediction

MESSAGE = "shadow"  # of the record, by which the lines are found in a log
SHARE = 0.1  # of the clips, by default
WAITING = 4  # clips that may wait for the challenger, 1.5 MB each
_LOWEST = 19  # priority of a thread in Linux

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compared:
    """What the challenger says of one clip, beside what the champion answered.

    Attributes:
        champion: version of the model that answered.
        challenger: version of the other model.
        agree: whether both verdicts have the same level and the same names, in any order.
        verdict: level of the champion's verdict.
        names: of it.
        challenger_verdict: level of the challenger's verdict; None if it failed.
        challenger_names: of it.
        classify_ms: that the champion took, in milliseconds.
        challenger_ms: that the challenger took, at low priority.
        passed_over: number of clips since the last line for which the challenger had no time.
        error: reason of the error with which the challenger failed; None if it did not.
    """

    champion: str
    challenger: str
    agree: bool
    verdict: Level
    names: tuple[str, ...]
    challenger_verdict: Level | None
    challenger_names: tuple[str, ...]
    classify_ms: float
    challenger_ms: float
    passed_over: int
    error: str | None = None


def read_compared(record: Mapping[str, Any]) -> Compared | None:
    """Read a record of the log, parsed from JSON; None if it is not the line of a shadow.

    Raises:
        ValueError: it is one, and a member is missing or has another type.
    """
    if record.get("message") != MESSAGE or "challenger" not in record:
        return None
    try:
        found = {name: record[name] for name in Compared.__dataclass_fields__}
        found |= {name: tuple(map(str, found[name])) for name in ("names", "challenger_names")}
        found |= {name: float(found[name]) for name in ("classify_ms", "challenger_ms")}
        compared = Compared(**found)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"a line of a shadow is damaged: {error!r}") from error
    if type(compared.agree) is not bool or type(compared.passed_over) is not int:
        raise ValueError("a line of a shadow is damaged: whether they agree, or what was passed over")
    levels = get_args(Level)
    failed = compared.error is not None
    if compared.verdict not in levels or (compared.challenger_verdict not in levels) != failed:
        raise ValueError("a line of a shadow is damaged: its verdicts")
    return compared


class Shadow:
    """A challenger beside a model. Any number of threads may offer it clips.

    Args:
        path: model file of the challenger.
        share: of the clips, more than 0 and at most 1.
        draw: returns random numbers of 0..1.

    Raises:
        ModelError: the file is not a usable model.
        ValueError: the share is out of its range.
    """

    def __init__(
        self, path: Path, *, share: float = SHARE, draw: Callable[[], float] = random.random
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"the share of a shadow must be above 0 and at most 1, it is {share}")
        self._challenger, self._share, self._draw = Classifier(path), share, draw
        self._thread = ThreadPoolExecutor(1, "shadow", initializer=_lower_priority)
        self._lock = threading.Lock()
        self._waiting: set[Future[None]] = set()
        self._passed_over = 0

    def __call__(self, clip: Clip, prediction: Prediction, classify_ms: float) -> None:
        """Perhaps ask the challenger about a clip; returns at once."""
        if self._draw() >= self._share:
            return
        with self._lock:
            if len(self._waiting) >= WAITING:
                self._passed_over += 1
                return
            passed_over, self._passed_over = self._passed_over, 0
            future = self._thread.submit(self._compare, clip, prediction, classify_ms, passed_over)
            self._waiting.add(future)
        future.add_done_callback(self._done)

    def drain(self) -> None:
        """Wait until no clip waits: AWS Lambda stops every thread when the answer is sent."""
        while waiting := list(self._waiting):
            for future in waiting:
                future.exception()  # waits; `_compare` logs what goes wrong

    def _done(self, future: Future[None]) -> None:
        with self._lock:
            self._waiting.discard(future)

    def _compare(self, clip: Clip, prediction: Prediction, classify_ms: float, passed_over: int) -> None:
        start = time.perf_counter()
        seen, failed = None, None
        try:
            seen = self._challenger.classify(clip, 1)
        except AnalyzerError as error:
            failed = error.reason
        except Exception:  # whatever it is, the answer was given by the champion
            _log.exception("the challenger failed")
            failed = "INTERNAL_ERROR"
        champion = prediction.verdict
        verdict = seen.verdict if seen else None
        agree = verdict is not None and (verdict.level, set(verdict.names)) == (
            champion.level,
            set(champion.names),
        )
        line = Compared(
            champion=prediction.model.version,
            challenger=self._challenger.model.version,
            agree=agree,
            verdict=champion.level,
            names=champion.names,
            challenger_verdict=verdict.level if verdict else None,
            challenger_names=verdict.names if verdict else (),
            classify_ms=round(classify_ms, 1),
            challenger_ms=round(1000 * (time.perf_counter() - start), 1),
            passed_over=passed_over,
            error=failed,
        )
        _log.info(MESSAGE, extra=asdict(line))


def _lower_priority() -> None:
    """Let the threads that answer come first; in Linux each thread has a priority of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
