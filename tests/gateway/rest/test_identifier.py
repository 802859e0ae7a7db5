"""Answers are computed once, kept, shared by concurrent requests, and bound to a version of the model."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gateway.pipeline import ModelDescription, Pipeline, local
from gateway.rest.identifier import DESCRIPTION_S, Identifier
from services.clip import Clip
from services.errors import InvalidArgument, NotAGif, Overloaded, ServiceUnavailable
from services.inference import LibraryInfo, Prediction
from services.preprocess import decode_gif
from services.workers import Workers

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counted:
    """A pipeline that counts its steps, and whose model can be exchanged; `gate` holds decoding up."""

    def __init__(self, model_path: Path) -> None:
        self.inner = local(model_path)
        self.version, self.library, self.gone = "1", "", False
        self.decoded = self.classified = self.described = 0
        self.gate = threading.Event()
        self.gate.set()
        self.pipeline = Pipeline(self.decode, self.classify, self.describe, lambda: None)

    def decode(self, gif: bytes) -> Clip:
        self.decoded += 1
        self.gate.wait(60)
        return self.inner.decode(gif)

    def classify(self, clip: Clip, top_k: int, *, exact: bool = False) -> Prediction:
        self.classified += 1
        prediction = self.inner.classify(clip, top_k, exact=exact)
        return dataclasses.replace(
            prediction, model=dataclasses.replace(prediction.model, version=self.version)
        )

    def describe(self) -> ModelDescription:
        self.described += 1
        if self.gone:
            raise ServiceUnavailable("localhost:50051", "connection refused")
        library = LibraryInfo(1, ("Red Show",), self.library) if self.library else None
        description = self.inner.describe()
        return dataclasses.replace(
            description,
            model=dataclasses.replace(description.model, version=self.version),
            library=library,
        )


@pytest.fixture
def counted(model_path: Path) -> Counted:
    return Counted(model_path)


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(2, 8)
    yield workers
    workers.close()


@pytest.fixture
def gif(save_gif: Callable[..., Path]) -> bytes:
    return save_gif("red-blue.gif", "red", "blue").read_bytes()


def identifier(counted: Counted, workers: Workers, **options: object) -> Identifier:
    return Identifier(counted.pipeline, workers, **{"cache_bytes": 10_000_000, **options})  # type: ignore[arg-type]


async def test_same_gif_is_computed_once(counted: Counted, workers: Workers, gif: bytes) -> None:
    asked = identifier(counted, workers)

    one = await asked.identify(gif, top_k=1, pictures=False)
    three = await asked.identify(gif, top_k=9, pictures=False)

    assert [len(found.prediction.shows) for found in (one, three)] == [1, 3]
    assert (one.kept, three.kept) == (False, True)
    assert one.prediction.votes == three.prediction.votes
    assert one.etag != three.etag
    assert (counted.decoded, counted.classified) == (1, 1)


async def test_concurrent_requests_share_one_computation(
    counted: Counted, workers: Workers, gif: bytes
) -> None:
    asked = identifier(counted, workers)
    counted.gate.clear()
    waiting = [asyncio.ensure_future(asked.identify(gif, top_k=1, pictures=False)) for _ in range(5)]
    broken = [asyncio.ensure_future(asked.identify(b"none", top_k=1, pictures=False)) for _ in range(3)]
    while counted.decoded < 2:
        await asyncio.sleep(0.001)
    waiting[0].cancel()  # the one that began it goes away
    counted.gate.set()

    answers = await asyncio.gather(*waiting[1:])
    errors = await asyncio.gather(*broken, return_exceptions=True)

    assert len({found.etag for found in answers}) == 1
    assert [type(error) for error in errors] == [NotAGif] * 3
    assert counted.decoded == 2


async def test_pictures_are_the_frames_of_the_clip(counted: Counted, workers: Workers, gif: bytes) -> None:
    asked = identifier(counted, workers)
    plain = await asked.identify(gif, top_k=3, pictures=False)

    drawn = await asked.identify(gif, top_k=3, pictures=True)
    again = await asked.identify(gif, top_k=3, pictures=True)

    assert plain.pictures == ()
    assert len(drawn.pictures) == 10
    assert drawn.etag != plain.etag
    assert (counted.decoded, counted.classified, again.kept) == (2, 1, True)
    frames = decode_gif(gif).frames
    for frame, picture in zip(frames, drawn.pictures, strict=True):
        square = Image.open(io.BytesIO(picture)).convert("RGB").resize((224, 224))
        seen = np.asarray(square, dtype=int)
        assert np.abs(seen - frame).mean() <= 4  # JPEG blurs the edges of the stripes


def test_letterboxed_picture(counted: Counted, workers: Workers, letterboxed: bytes) -> None:
    found = asyncio.run(identifier(counted, workers).identify(letterboxed, top_k=3, pictures=True))

    assert {Image.open(io.BytesIO(picture)).size for picture in found.pictures} == {(299, 168)}  # 16:9


@pytest.mark.parametrize(
    ("size", "shape"), [((160, 90), (299, 168)), ((30, 120), (112, 448)), ((4000, 1), (14167, 4))]
)
def test_shape_of_a_picture(
    counted: Counted, workers: Workers, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "GIF")

    found = asyncio.run(identifier(counted, workers).identify(file.getvalue(), top_k=3, pictures=True))

    assert {Image.open(io.BytesIO(picture)).size for picture in found.pictures} == {shape}


async def test_each_vote_has_a_picture(familiar_path: Path, workers: Workers, gif: bytes) -> None:
    found = await identifier(Counted(familiar_path), workers).identify(gif, top_k=3, pictures=True)

    assert [vote.show for vote in found.prediction.votes] == ["Red Show", "Blue Show"]
    means = [np.asarray(Image.open(io.BytesIO(picture))).mean(axis=(0, 1)) for picture in found.pictures]
    assert [int(mean.argmax()) for mean in means] == [0, 2]


async def test_form_changes_the_etag(
    counted: Counted, workers: Workers, gif: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = identifier(counted, workers)
    before = await asked.identify(gif, top_k=1, pictures=False)

    monkeypatch.setattr("gateway.rest.identifier.FORM", "later")

    assert (await asked.identify(gif, top_k=1, pictures=False)).etag != before.etag


async def test_another_model_is_another_answer(counted: Counted, workers: Workers, gif: bytes) -> None:
    now = 0.0
    asked = identifier(counted, workers, clock=lambda: now)
    before = await asked.identify(gif, top_k=1, pictures=False)

    counted.version = "2"
    within = await asked.identify(gif, top_k=1, pictures=False)
    now = DESCRIPTION_S
    after = await asked.identify(gif, top_k=1, pictures=False)

    assert (before.prediction.model.version, within.kept) == ("1", True)
    assert (after.prediction.model.version, after.kept) == ("2", False)
    assert before.etag == within.etag != after.etag


async def test_new_model_version_is_described_at_once(counted: Counted, workers: Workers, gif: bytes) -> None:
    asked = identifier(counted, workers, clock=lambda: 0.0)
    await asked.describe()
    counted.version = "2"

    await asked.identify(gif, top_k=1, pictures=False)

    assert (await asked.describe()).model.version == "2"
    assert (await asked.identify(gif, top_k=1, pictures=False)).kept


async def test_an_answer_counts_for_one_state_of_the_library(
    counted: Counted, workers: Workers, gif: bytes
) -> None:
    asked = identifier(counted, workers, clock=lambda: 0.0)
    counted.library = "a" * 64
    before = await asked.identify(gif, top_k=1, pictures=False)
    again = await asked.identify(gif, top_k=1, pictures=False)

    counted.library = "b" * 64
    after = await asked.identify(gif, top_k=1, pictures=False)

    assert (before.kept, again.kept, after.kept) == (False, True, False)
    assert before.etag == again.etag != after.etag


async def test_an_answer_is_not_kept_if_the_library_changes_meanwhile(
    counted: Counted, workers: Workers, gif: bytes
) -> None:
    asked = identifier(counted, workers, clock=lambda: 0.0)
    counted.library = "a" * 64
    counted.gate.clear()
    waiting = asyncio.ensure_future(asked.identify(gif, top_k=1, pictures=False))
    while not counted.decoded:
        await asyncio.sleep(0.001)

    counted.library = "b" * 64
    counted.gate.set()
    await waiting
    counted.library = "a" * 64  # as it was before

    assert not (await asked.identify(gif, top_k=1, pictures=False)).kept


async def test_a_service_that_is_gone_after_its_answer_loses_no_answer(
    counted: Counted, workers: Workers, gif: bytes
) -> None:
    asked = identifier(counted, workers, clock=lambda: 0.0)
    counted.library = "a" * 64
    counted.gate.clear()
    waiting = asyncio.ensure_future(asked.identify(gif, top_k=1, pictures=False))
    while not counted.decoded:
        await asyncio.sleep(0.001)

    counted.gone = True
    counted.gate.set()

    assert (await waiting).prediction.shows
    with pytest.raises(ServiceUnavailable):
        await asked.identify(gif, top_k=1, pictures=False)


async def test_without_a_cache_everything_is_computed_again(
    counted: Counted, workers: Workers, gif: bytes
) -> None:
    asked = identifier(counted, workers, cache_bytes=0)

    for _ in range(2):
        assert not (await asked.identify(gif, top_k=1, pictures=False)).kept

    assert (counted.classified, asked.cache_size_bytes) == (2, 0)


async def test_top_k_of_0_is_refused(counted: Counted, workers: Workers, gif: bytes) -> None:
    with pytest.raises(InvalidArgument, match="top_k"):
        await identifier(counted, workers).identify(gif, top_k=0, pictures=False)

    assert counted.decoded == 0


def test_requests_beyond_the_queue_are_refused(counted: Counted, save_gif: Callable[..., Path]) -> None:
    gifs = [save_gif(f"{colour}.gif", colour).read_bytes() for colour in ("red", "lime", "blue")]

    async def ask() -> None:
        workers = Workers(1, 0)
        asked = identifier(counted, workers)
        await asked.describe()
        counted.gate.clear()
        first = asyncio.ensure_future(asked.identify(gifs[0], top_k=1, pictures=False))
        while not counted.decoded:
            await asyncio.sleep(0.001)

        with pytest.raises(Overloaded):
            await asked.identify(gifs[1], top_k=1, pictures=False)

        counted.gate.set()
        assert (await first).prediction.shows[0].show == "Red Show"
        workers.close()

    asyncio.run(ask())
