"""Identifies GIFs for many callers at once: in threads, with a cache, and each GIF only once at a time.

An answer is kept under the GIF's digest, the model's version, the library's digest and whether all frames had
to be classified: an answer that stopped early is never given to a caller who requested exact probabilities,
and a clip that was added to the library counts from the next request on.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cachetools import LRUCache
from starlette.concurrency import run_in_threadpool

from gateway.pipeline import ModelDescription, Pipeline
from gateway.thumbnails import draw_frame
from services.clip import CLIP_FRAMES, Clip
from services.errors import InvalidArgument, ServiceError
from services.inference import FrameVote, Prediction
from services.workers import Workers

DESCRIPTION_S = 30.0  # after which a service is asked again for its model
ENTRY_BYTES = 8_192  # an answer without pictures, with room to spare
# Version of answers. Raise it when their fields or pictures change, so that earlier ETags do not match.
FORM = "6"

Key = tuple[str, str, str, bool]  # digest of a GIF, version of a model, digest of a library, whether exact


@dataclass(frozen=True)
class Identified:
    """The answer for one GIF.

    Attributes:
        prediction: with as many shows as requested.
        pictures: a JPEG file for each frame if requested, else none.
        etag: names this answer: its form, the GIF, the model, the library and the request.
        kept: whether it came from the cache.
        decode_ms: that preprocessing took; None for an answer from the cache.
        classify_ms: that classification took; None where only the pictures were drawn.
    """

    prediction: Prediction
    pictures: tuple[bytes, ...]
    etag: str
    kept: bool
    decode_ms: float | None = None
    classify_ms: float | None = None


@dataclass(frozen=True)
class _Entry:
    prediction: Prediction  # with all shows
    pictures: tuple[bytes, ...] = ()
    decode_ms: float | None = None
    classify_ms: float | None = None

    @property
    def size_bytes(self) -> int:
        return ENTRY_BYTES + sum(map(len, self.pictures))


class Identifier:
    """Identifies GIFs on one event loop, computing in threads.

    Args:
        pipeline: both steps, and the description of their model.
        workers: the threads.
        cache_bytes: maximum size of the kept answers; 0 keeps none.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        workers: Workers,
        *,
        cache_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline, self._workers, self._clock = pipeline, workers, clock
        self._cache: LRUCache[Key, _Entry] = LRUCache(cache_bytes, getsizeof=lambda entry: entry.size_bytes)
        self._running: dict[tuple[Key, bool], asyncio.Task[_Entry]] = {}
        self._description: ModelDescription | None = None
        self._described = -DESCRIPTION_S

    @property
    def cache_size_bytes(self) -> int:
        """Size of the kept answers."""
        return int(self._cache.currsize)

    async def describe(self) -> ModelDescription:
        """Return the model and the library that answer; raises ServiceError.

        The description of a model alone is kept for 30 s. A library may change at any time, so with one it is
        requested each time, in a thread that does not wait for those that compute.
        """
        kept = self._description
        if kept is None or kept.library or self._clock() - self._described >= DESCRIPTION_S:
            self._description = await run_in_threadpool(self._pipeline.describe)
            self._described = self._clock()
            return self._description
        return kept

    async def identify(self, gif: bytes, *, top_k: int, pictures: bool, exact: bool = False) -> Identified:
        """Name the shows of a GIF.

        Args:
            gif: the whole file.
            top_k: how many shows to name, at least 1.
            pictures: whether to return the frames as JPEG files; then all of them are classified.
            exact: whether to classify all frames even where fewer would decide.

        Raises:
            InvalidArgument: top_k is less than 1.
            GifError: the bytes are not a GIF that can be shown within the budget.
            ServiceError: no answer, or too many calls already wait for one.
        """
        if top_k < 1:
            raise InvalidArgument("top_k", expected="at least 1", found=str(top_k))
        description = await self.describe()
        library = _digest(description)
        key = hashlib.sha256(gif).hexdigest(), description.model.version, library, exact or pictures
        entry = self._find(key)
        kept = entry is not None and bool(entry.pictures or not pictures)
        if entry is None or not kept:
            entry = await self._shared(key, gif, len(description.named), pictures)
        prediction = dataclasses.replace(entry.prediction, shows=entry.prediction.shows[:top_k])
        asked = f"{FORM}/{key[0]}/{prediction.model.version}/{library}/{top_k}/{pictures}/{exact or pictures}"
        etag = f'"{hashlib.sha256(asked.encode()).hexdigest()[:32]}"'
        drawn = entry.pictures if pictures else ()
        if kept:
            return Identified(prediction, drawn, etag, kept)
        return Identified(prediction, drawn, etag, kept, entry.decode_ms, entry.classify_ms)

    def _find(self, key: Key) -> _Entry | None:
        """Return the kept entry; for an exact request also one that classified all ten frames anyway."""
        digest, version, library, exact = key
        entry = self._cache.get(key)
        if entry is None and exact:
            other = self._cache.get((digest, version, library, False))
            if other is not None and len(other.prediction.votes) == CLIP_FRAMES:
                return other
        return entry

    async def _shared(self, key: Key, gif: bytes, shows: int, pictures: bool) -> _Entry:
        """Compute an entry, or wait for the call that already does; a caller that leaves stops no other."""
        task = self._running.get((key, pictures))
        if task is None:
            task = asyncio.ensure_future(self._compute(key, gif, shows, pictures))
            self._running[key, pictures] = task
            task.add_done_callback(lambda done: self._forget((key, pictures), done))
        return await asyncio.shield(task)

    def _forget(self, running: tuple[Key, bool], done: asyncio.Task[_Entry]) -> None:
        del self._running[running]
        if not done.cancelled():
            done.exception()  # or asyncio would report it where every caller has left

    async def _compute(self, key: Key, gif: bytes, shows: int, pictures: bool) -> _Entry:
        before = self._find(key)
        digest, version, library, exact = key
        entry = await self._workers.run(self._work, gif, shows, pictures, exact, before)
        if entry.prediction.model.version != version:  # the service has another model by now
            self._described = -DESCRIPTION_S
        if entry.size_bytes <= self._cache.maxsize and await self._is_current(library):
            self._cache[digest, entry.prediction.model.version, library, exact] = entry
        return entry

    async def _is_current(self, library: str) -> bool:
        """Whether the library still has this digest, so that an answer may be kept under it."""
        try:
            return _digest(await self.describe()) == library
        except ServiceError:  # the answer is there all the same
            return False

    def _work(self, gif: bytes, shows: int, pictures: bool, exact: bool, before: _Entry | None) -> _Entry:
        start = time.perf_counter()
        clip = self._pipeline.decode(gif)
        decoded = time.perf_counter()
        prediction = before.prediction if before else self._pipeline.classify(clip, shows, exact=exact)
        classify_ms = None if before else 1000 * (time.perf_counter() - decoded)
        drawn = _draw_pictures(clip, prediction.votes) if pictures else ()
        return _Entry(prediction, drawn, 1000 * (decoded - start), classify_ms)


def _digest(description: ModelDescription) -> str:
    """Return the digest of the library; "" without one."""
    return description.library.sha256 if description.library else ""


def _draw_pictures(clip: Clip, votes: Iterable[FrameVote]) -> tuple[bytes, ...]:
    """Write the frame of each vote as a JPEG file."""
    return tuple(draw_frame(clip, clip.timestamps_ms.index(vote.offset_ms)) for vote in votes)
