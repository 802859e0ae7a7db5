"""Where calls are computed: **a function** -> a thread, soon or not at all -> **its answer**."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from services.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

RETRY_AFTER_S = 0.5  # advice to a caller that was refused: a few answers' time


class Workers:
    """A fixed number of threads, and a queue before them that has an end.

    A call whose caller has gone (cancelled, or past its deadline) leaves the queue and is never computed; one
    that a thread already computes is finished for nobody, and its place counts as taken until then.

    Args:
        threads: at least 1.
        waiting: at least 0.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        if threads < 1 or waiting < 0:
            raise ValueError(f"threads must be at least 1 and waiting at least 0: {threads}, {waiting}")
        self._limit = threads + waiting
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Calls that are computed or wait."""
        return self._taken

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute function(*args, **kwargs) in a thread.

        Raises:
            Overloaded: as many calls wait as may.
        """
        with self._lock:
            if self._taken >= self._limit:
                raise Overloaded(limit=self._limit, retry_after_s=RETRY_AFTER_S)
            self._taken += 1
        future = self._pool.submit(function, *args, **kwargs)
        # On the future itself, not around the await: a cancelled task ends before its thread does.
        future.add_done_callback(self._release)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let go of the threads; what still waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _release(self, _: Future[T]) -> None:
        with self._lock:
            self._taken -= 1
