"""A GIF asked about by many: **bytes** -> digest -> kept answer, or the pipeline in a thread -> `Identified`.

The same GIF is not computed twice: not while its answer is kept, and not by two who ask at the same time. An
answer belongs to a GIF's digest, a model's version and whether all frames had to be looked at; what stopped
early is never given to somebody who asked for exact probabilities.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.pipeline import ModelDescription, Pipeline
from gateway.rest.cache import Cache
from gateway.rest.pictures import draw_pictures
from services.clip import CLIP_FRAMES
from services.errors import InvalidArgument
from services.inference import Prediction
from services.workers import Workers

DESCRIPTION_S = 30.0  # after which a service is asked again which model it has
ENTRY_BYTES = 8_192  # an answer without pictures, with room to spare
# Of answers, raised by hand when they get other fields or pictures: ETags of earlier forms do not hold.
FORM = "4"

Key = tuple[str, str, bool]  # digest of a GIF, version of a model, whether exact


@dataclass(frozen=True)
class Identified:
    """The answer for one GIF.

    Attributes:
        prediction: as many shows as were asked for.
        pictures: a JPEG file for each frame where they were asked for, else none.
        etag: names this answer: its form, the GIF, the model and what was asked.
        kept: whether it was answered from the cache.
    """

    prediction: Prediction
    pictures: tuple[bytes, ...]
    etag: str
    kept: bool


@dataclass(frozen=True)
class _Entry:
    prediction: Prediction  # of all shows
    pictures: tuple[bytes, ...] = ()

    @property
    def size_bytes(self) -> int:
        return ENTRY_BYTES + sum(map(len, self.pictures))


class Identifier:
    """Answers on one event loop, computing in threads.

    Args:
        pipeline: both steps, and the model they lead to.
        workers: where it computes; more calls than may wait are `Overloaded`.
        cache_bytes: that answers may take.
        clock: seconds that only grow.
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
        self._cache: Cache[Key, _Entry] = Cache(cache_bytes)
        self._running: dict[tuple[Key, bool], asyncio.Task[_Entry]] = {}
        self._description: ModelDescription | None = None
        self._described = -DESCRIPTION_S

    @property
    def cache_size_bytes(self) -> int:
        """What the kept answers take."""
        return self._cache.size_bytes

    async def describe(self) -> ModelDescription:
        """Say which model answers; what a service said holds for half a minute.

        Raises:
            ServiceError: the service was asked and gave no answer.
        """
        if self._description is None or self._clock() - self._described >= DESCRIPTION_S:
            self._description = await self._workers.run(self._pipeline.describe)
            self._described = self._clock()
        return self._description

    async def identify(self, gif: bytes, *, top_k: int, pictures: bool, exact: bool = False) -> Identified:
        """Name the shows of a GIF.

        Args:
            gif: the whole file.
            top_k: how many shows to name, at least 1.
            pictures: whether the frames are wanted as JPEG files; then all of them are looked at.
            exact: whether all frames are looked at even where fewer would decide.

        Raises:
            InvalidArgument: top_k is less than 1.
            GifError: the bytes are not a GIF that can be shown within the budget.
            ServiceError: no answer, or too many already wait for one.
        """
        if top_k < 1:
            raise InvalidArgument("top_k", expected="at least 1", found=str(top_k))
        description = await self.describe()
        key = hashlib.sha256(gif).hexdigest(), description.model.version, exact or pictures
        entry = self._find(key)
        kept = entry is not None and bool(entry.pictures or not pictures)
        if entry is None or not kept:
            entry = await self._shared(key, gif, len(description.shows), pictures)
        prediction = dataclasses.replace(entry.prediction, shows=entry.prediction.shows[:top_k])
        asked = f"{FORM}/{key[0]}/{prediction.model.version}/{top_k}/{pictures}/{exact or pictures}"
        etag = f'"{hashlib.sha256(asked.encode()).hexdigest()[:32]}"'
        return Identified(prediction, entry.pictures if pictures else (), etag, kept)

    def _find(self, key: Key) -> _Entry | None:
        """What is kept under a key; where exact is asked, also what had to look at all ten frames anyway."""
        digest, version, exact = key
        entry = self._cache.get(key)
        if entry is None and exact:
            other = self._cache.get((digest, version, False))
            if other is not None and len(other.prediction.frames) == CLIP_FRAMES:
                return other
        return entry

    async def _shared(self, key: Key, gif: bytes, shows: int, pictures: bool) -> _Entry:
        """Compute an entry, or wait for whoever computes it already; who goes away stops nobody else."""
        task = self._running.get((key, pictures))
        if task is None:
            task = asyncio.ensure_future(self._compute(key, gif, shows, pictures))
            self._running[key, pictures] = task
            task.add_done_callback(lambda done: self._forget((key, pictures), done))
        return await asyncio.shield(task)

    def _forget(self, running: tuple[Key, bool], done: asyncio.Task[_Entry]) -> None:
        del self._running[running]
        if not done.cancelled():
            done.exception()  # looked at, or it would be reported where everyone who waited has gone

    async def _compute(self, key: Key, gif: bytes, shows: int, pictures: bool) -> _Entry:
        before = self._find(key)
        entry = await self._workers.run(self._work, gif, shows, pictures, key[2], before)
        if entry.prediction.model.version != key[1]:  # the service has another model since it was asked
            self._described = -DESCRIPTION_S
        self._cache.put((key[0], entry.prediction.model.version, key[2]), entry, entry.size_bytes)
        return entry

    def _work(self, gif: bytes, shows: int, pictures: bool, exact: bool, before: _Entry | None) -> _Entry:
        clip = self._pipeline.decode(gif)
        prediction = before.prediction if before else self._pipeline.classify(clip, shows, exact=exact)
        return _Entry(prediction, draw_pictures(clip, prediction.frames) if pictures else ())
