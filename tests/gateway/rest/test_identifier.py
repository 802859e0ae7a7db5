"""Answers are computed once, kept, shared by concurrent requests, and bound to a version of the model."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from gateway.pipeline import ModelDescription, Pipeline, local
from gateway.rest.identifier import DESCRIPTION_S, Identified, Identifier
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
    """A pipeline that counts its steps, and whose model can be exchanged; `gate` holds decoding up.

    Its identifiers have a clock that stands at `now`.
    """

    def __init__(self, model_path: Path) -> None:
        self.inner = local(model_path)
        self.version, self.library, self.gone, self.now = "1", "", False, 0.0
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


def identifier(counted: Counted, workers: Workers, cache_bytes: int = 10_000_000) -> Identifier:
    return Identifier(counted.pipeline, workers, cache_bytes=cache_bytes, clock=lambda: counted.now)


@pytest.fixture
def asked(counted: Counted, workers: Workers) -> Identifier:
    return identifier(counted, workers)


async def begin(asked: Identifier, counted: Counted, gif: bytes) -> asyncio.Future[Identified]:
    """Return a request that is decoding its GIF until `counted.gate` is set."""
    counted.gate.clear()
    begun = asyncio.ensure_future(asked.identify(gif, top_k=1, pictures=False))
    while not counted.decoded:
        await asyncio.sleep(0.001)
    return begun


async def test_same_gif_is_computed_once(asked: Identifier, counted: Counted, gif: bytes) -> None:
    one = await asked.identify(gif, top_k=1, pictures=False)
    three = await asked.identify(gif, top_k=9, pictures=False)

    assert [len(found.prediction.shows) for found in (one, three)] == [1, 3]
    assert (one.kept, three.kept) == (False, True)
    assert one.prediction.votes == three.prediction.votes
    assert one.etag != three.etag
    assert (counted.decoded, counted.classified) == (1, 1)


async def test_concurrent_requests_share_one_computation(
    asked: Identifier, counted: Counted, gif: bytes
) -> None:
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


async def test_pictures_are_the_frames_of_the_clip(asked: Identifier, counted: Counted, gif: bytes) -> None:
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


@pytest.mark.parametrize(
    ("size", "bars", "shape"),
    [
        ((160, 90), 0, (299, 168)),
        ((160, 90), 15, (299, 168)),
        ((30, 120), 0, (112, 448)),
        ((4000, 1), 0, (14167, 4)),
    ],
)
async def test_shape_of_a_picture(
    asked: Identifier, size: tuple[int, int], bars: int, shape: tuple[int, int]
) -> None:
    file = io.BytesIO()
    ImageOps.expand(Image.new("RGB", size, "red"), (0, bars), "black").save(file, "GIF")

    found = await asked.identify(file.getvalue(), top_k=3, pictures=True)

    assert {Image.open(io.BytesIO(picture)).size for picture in found.pictures} == {shape}


async def test_each_vote_has_a_picture(familiar_path: Path, workers: Workers, gif: bytes) -> None:
    found = await identifier(Counted(familiar_path), workers).identify(gif, top_k=3, pictures=True)

    assert [vote.show for vote in found.prediction.votes] == ["Red Show", "Blue Show"]
    means = [np.asarray(Image.open(io.BytesIO(picture))).mean(axis=(0, 1)) for picture in found.pictures]
    assert [int(mean.argmax()) for mean in means] == [0, 2]


async def test_form_changes_the_etag(asked: Identifier, gif: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await asked.identify(gif, top_k=1, pictures=False)

    monkeypatch.setattr("gateway.rest.identifier.FORM", "later")

    assert (await asked.identify(gif, top_k=1, pictures=False)).etag != before.etag


@pytest.mark.parametrize(
    ("changed", "kept", "versions"),
    [
        ("version", [False, True, True, False], ["a", "a", "a", "b"]),
        ("library", [False, True, False, True], ["1", "1", "1", "1"]),  # it counts at once
    ],
)
async def test_an_answer_counts_for_one_model_and_one_state_of_the_library(
    asked: Identifier, counted: Counted, gif: bytes, *, changed: str, kept: list[bool], versions: list[str]
) -> None:
    setattr(counted, changed, "a")
    answers = [await asked.identify(gif, top_k=1, pictures=False) for _ in range(2)]

    setattr(counted, changed, "b")
    for counted.now in (0.0, DESCRIPTION_S):
        answers.append(await asked.identify(gif, top_k=1, pictures=False))

    assert [found.kept for found in answers] == kept
    for earlier, later in itertools.pairwise(answers):
        assert (later.etag == earlier.etag) == later.kept
    assert [found.prediction.model.version for found in answers] == versions


async def test_new_model_version_is_described_at_once(
    asked: Identifier, counted: Counted, gif: bytes
) -> None:
    await asked.describe()
    counted.version = "2"

    await asked.identify(gif, top_k=1, pictures=False)

    assert (await asked.describe()).model.version == "2"
    assert (await asked.identify(gif, top_k=1, pictures=False)).kept


async def test_an_answer_is_not_kept_if_the_library_changes_meanwhile(
    asked: Identifier, counted: Counted, gif: bytes
) -> None:
    counted.library = "a" * 64
    begun = await begin(asked, counted, gif)

    counted.library = "b" * 64
    counted.gate.set()
    await begun
    counted.library = "a" * 64  # as it was before

    assert not (await asked.identify(gif, top_k=1, pictures=False)).kept


async def test_a_service_that_is_gone_after_its_answer_loses_no_answer(
    asked: Identifier, counted: Counted, gif: bytes
) -> None:
    counted.library = "a" * 64
    begun = await begin(asked, counted, gif)

    counted.gone = True
    counted.gate.set()

    assert (await begun).prediction.shows
    with pytest.raises(ServiceUnavailable):
        await asked.identify(gif, top_k=1, pictures=False)


async def test_without_a_cache_everything_is_computed_again(
    counted: Counted, workers: Workers, gif: bytes
) -> None:
    asked = identifier(counted, workers, cache_bytes=0)

    for _ in range(2):
        assert not (await asked.identify(gif, top_k=1, pictures=False)).kept

    assert (counted.classified, asked.cache_size_bytes) == (2, 0)


async def test_top_k_of_0_is_refused(asked: Identifier, counted: Counted, gif: bytes) -> None:
    with pytest.raises(InvalidArgument, match="top_k"):
        await asked.identify(gif, top_k=0, pictures=False)

    assert counted.decoded == 0


async def test_requests_beyond_the_queue_are_refused(counted: Counted, save_gif: Callable[..., Path]) -> None:
    workers = Workers(1, 0)
    asked = identifier(counted, workers)
    first = await begin(asked, counted, save_gif("red.gif", "red").read_bytes())

    with pytest.raises(Overloaded):
        await asked.identify(save_gif("lime.gif", "lime").read_bytes(), top_k=1, pictures=False)

    counted.gate.set()
    assert (await first).prediction.shows[0].show == "Red Show"
    workers.close()
