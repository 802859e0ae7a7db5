"""Work on several threads, its results in order: what `map` does, some items ahead."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


def map_ahead(
    function: Callable[[_Given], _Made], items: Iterable[_Given], *, threads: int
) -> Iterator[_Made]:
    """Yield function(item) for each item in turn; what one raises comes in its turn as well.

    Args:
        function: holds Python's lock only briefly, else threads are of no use.
        items: any number; no more than twice the threads are held, done or not.
        threads: at least 1, which works in the caller's own thread, one item when it is asked for.
    """
    if threads == 1:
        yield from map(function, items)
        return
    waiting: collections.deque[Future[_Made]] = collections.deque()
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
