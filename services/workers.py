"""Threads for computing: a pool with a limited queue for servers, and a `map` that works ahead."""

from __future__ import annotations

import asyncio
import collections
import contextvars
import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from services.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")

RETRY_AFTER_S = 0.5  # advice to a refused caller: the time of a few answers


class Workers:
    """A fixed number of threads with a limited queue.

    A waiting call is dropped if its caller has gone (cancelled, or past its deadline). A call that is already
    being computed runs to its end, and occupies its place until then.

    Args:
        threads: at least 1.
        waiting: length of the queue, at least 0.
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
        """Number of calls that are computed or wait."""
        return self._taken

    @property
    def is_full(self) -> bool:
        """Whether a further call would be refused."""
        return self._taken >= self._limit

    def overloaded(self) -> Overloaded:
        """Return the error of a call that is refused."""
        return Overloaded(limit=self._limit, retry_after_s=RETRY_AFTER_S)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute function(*args, **kwargs) in a thread, which knows the trace of its caller.

        Raises:
            Overloaded: the queue is full.
        """
        with self._lock:
            if self.is_full:
                raise self.overloaded()
            self._taken += 1
        computed = functools.partial(function, *args, **kwargs)
        future = self._pool.submit(contextvars.copy_context().run, computed)
        # On the future, not around the await: a cancelled task ends before its thread does.
        future.add_done_callback(self._release)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Release the threads, and drop the calls that still wait."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _release(self, _: Future[T]) -> None:
        with self._lock:
            self._taken -= 1


def map_ahead(function: Callable[[Item], T], items: Iterable[Item], *, threads: int) -> Iterator[T]:
    """Yield function(item) for each item in order, as `map` does; an exception comes at its place.

    Args:
        function: holds Python's lock only briefly, or threads do not help.
        items: at most twice as many as threads are taken ahead.
        threads: at least 1. With 1, each item is computed in the caller's thread when it is requested.
    """
    if threads == 1:
        yield from map(function, items)
        return
    waiting: collections.deque[Future[T]] = collections.deque()
    items = iter(items)
    with ThreadPoolExecutor(threads, "pixels") as pool:
        try:
            for item in itertools.islice(items, 2 * threads):
                waiting.append(pool.submit(function, item))
            while waiting:
                made = waiting.popleft().result()
                for item in itertools.islice(items, 1):
                    waiting.append(pool.submit(function, item))
                yield made
        finally:
            for future in waiting:
                future.cancel()
