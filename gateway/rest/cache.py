"""Answers kept for the next time: **key -> value**, the least recently used dropped beyond so many bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """A bounded store. It is used from one event loop and takes no lock.

    Args:
        max_bytes: of all values together, as `put` is told their sizes; 0 keeps nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """What is kept takes so much."""
        return self._bytes

    def get(self, key: K) -> V | None:
        """Return the value and count it as used, or None."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, size_bytes: int) -> None:
        """Keep a value in place of what was there; one larger than the whole cache is not kept."""
        if (before := self._kept.pop(key, None)) is not None:
            self._bytes -= before[1]
        if size_bytes > self._max_bytes:
            return
        self._kept[key] = value, size_bytes
        self._bytes += size_bytes
        while self._bytes > self._max_bytes:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= dropped
