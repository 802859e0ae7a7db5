"""The two steps as local functions and as services: both must behave the same, as tests/services says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gif_analyzer.v1 import inference_pb2 as pb
from gif_analyzer.v1.inference_pb2_grpc import add_InferenceServiceServicer_to_server
from grpc import aio

from services.clip import CLIP_SHAPE, Clip
from services.errors import AnalyzerError, CorruptGif, GifTooLarge, InvalidArgument, InvalidClip, NotAGif
from services.inference import Classifier, ModelInfo, Verdict
from services.inference.rpc import SERVICE, InferenceServicer, RemoteClassifier
from services.preprocess import Budget, decode_gif
from services.preprocess.rpc import RemotePreprocess
from services.rpc.server import RpcServer, serving
from services.rpc.settings import ServerSettings
from tests.support.paths import CORPUS, EXAMPLES, SHARED
from tests.support.pictures import FORMATS_OF
from tests.support.steps import Steps

Ask = Callable[..., "list[object]"]


def outcome(
    decode: Callable[..., Clip], classify: Callable[..., object], file: bytes, top_k: int, **budget: Budget
) -> object:
    """The results of both steps for a file, or the error."""
    try:
        clip = decode(file, **budget)
        return clip.frames.tobytes(), clip.timestamps_ms, clip.source, classify(clip, top_k)
    except Exception as error:
        return type(error), str(error), getattr(error, "details", None)


@pytest.fixture
def ask(address: str, classifier: Classifier) -> Iterator[Ask]:
    """A function that asks both forms about a file -> the two outcomes; top_k and a budget may be given."""
    with RemotePreprocess(address) as preprocess, RemoteClassifier(address) as remote:
        forms = (decode_gif, classifier.classify), (preprocess.decode_gif, remote.classify)
        yield lambda file, *, top_k=5, **budget: [outcome(*form, file, top_k, **budget) for form in forms]


def test_both_forms_agree_to_the_last_bit(ask: Ask, gif: bytes, letterboxed: bytes) -> None:
    examples = [path.read_bytes() for path in EXAMPLES.glob("*.gif")]

    for file in (gif, letterboxed, *FORMATS_OF.values(), *examples):
        here, there = ask(file)

        assert isinstance(here, tuple) and len(here) == 4  # no error
        assert there == here


@pytest.mark.parametrize(
    "folder", [CORPUS, pytest.param(SHARED / "corpus", marks=pytest.mark.corpus)], ids=str
)
def test_both_forms_agree_on_the_corpus(ask: Ask, folder: Path) -> None:
    small = [path for path in sorted(folder.glob("*/*.gif")) if path.stat().st_size < 100_000]

    different = []
    for path in small:
        here, there = ask(path.read_bytes())
        if here != there:
            different.append(path.name)

    assert len(small) > 100
    assert different == []


@pytest.mark.parametrize("top_k", [1, 2, 100, 2**40])
def test_both_forms_name_top_k_shows(ask: Ask, gif: bytes, top_k: int) -> None:
    here, there = ask(gif, top_k=top_k)

    assert isinstance(here, tuple) and len(here[-1].shows) == min(top_k, 3)
    assert there == here


PAIR = 64 * 48 * 2  # pixels of the two frames of the fixture `gif`
REFUSED: dict[str, tuple[Callable[[bytes], bytes], dict[str, Any], type[AnalyzerError]]] = {
    "a PDF": (lambda gif: b"%PDF-1.7\n" + bytes(100), {}, NotAGif),
    "an empty file": (lambda gif: b"", {}, NotAGif),
    "no whole frame": (lambda gif: gif[: gif.index(b"!\xf9")], {}, CorruptGif),
    "a large canvas": (bytes, {"budget": Budget(max_canvas_pixels=PAIR // 2 - 1)}, GifTooLarge),
    "two frames": (bytes, {"budget": Budget(max_frames=1)}, GifTooLarge),
    "any frame": (bytes, {"budget": Budget(max_frames=0)}, GifTooLarge),
    "many pixels": (bytes, {"budget": Budget(max_decoded_pixels=PAIR - 1)}, GifTooLarge),
    "many bytes": (bytes, {"budget": Budget(max_bytes=100)}, GifTooLarge),
    "top_k of 0": (bytes, {"top_k": 0}, InvalidArgument),
    "top_k of -1": (bytes, {"top_k": -1}, InvalidArgument),
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_forms_refuse_with_the_same_words_and_details(ask: Ask, gif: bytes, name: str) -> None:
    change, options, error = REFUSED[name]

    here, there = ask(change(gif), **options)

    assert isinstance(here, tuple) and here[0] is error
    assert there == here


@pytest.mark.parametrize(
    ("frames", "timestamps_ms", "field"),
    [
        (np.zeros(CLIP_SHAPE, np.float32), tuple(range(10)), "frames"),
        (np.zeros((9, 224, 224, 3), np.uint8), tuple(range(10)), "frames"),
        (np.zeros(CLIP_SHAPE, np.uint8), tuple(range(9)), "timestamps_ms"),
        (np.zeros(CLIP_SHAPE, np.uint8), (0, 2, 1, *range(3, 10)), "timestamps_ms"),
        (np.zeros(CLIP_SHAPE, np.uint8), tuple(range(-1, 9)), "timestamps_ms"),
    ],
    ids=["dtype", "nine frames", "nine instants", "decreasing", "negative"],
)
def test_an_invalid_clip_is_refused(
    steps: Steps, frames: np.ndarray, timestamps_ms: tuple[int, ...], field: str
) -> None:
    with pytest.raises(InvalidClip) as caught:
        steps.classify(Clip(frames, timestamps_ms))

    assert caught.value.details["field"] == field


VERDICTS = {
    (255, 0, 0): Verdict("show", ("Red Show",)),
    (255, 255, 0): Verdict("one_of", ("Red Show", "Green Show")),
    (30, 30, 30): Verdict("one_of", ("Red Show", "Green Show", "Blue Show")),
    (200, 200, 60): Verdict("kind", ("live action",)),
    (200, 60, 200): Verdict("unknown"),
}


@pytest.mark.parametrize("colour", VERDICTS)
def test_a_clip_gets_its_verdict(
    steps: Steps, clip_of: Callable[..., Clip], colour: tuple[int, int, int]
) -> None:
    assert steps.classify(clip_of(colour)).verdict == VERDICTS[colour]


class Older(InferenceServicer):
    """A service from before there were verdicts."""

    async def Classify(  # noqa: N802 - the name in the contract
        self, request: pb.ClassifyRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.ClassifyResponse:
        response = await super().Classify(request, context)
        response.ClearField("verdict")
        return response


def test_the_verdict_of_an_older_service_is_known_or_unknown(
    classifier: Classifier, clip_of: Callable[..., Clip]
) -> None:
    def build() -> RpcServer:
        server = RpcServer(ServerSettings(port=0))
        servicer = Older(server.workers, classifier)
        server.add(SERVICE, lambda to: add_InferenceServiceServicer_to_server(servicer, to))
        return server

    with serving(build) as port, RemoteClassifier(f"127.0.0.1:{port}") as client:
        known, unknown = client.classify(clip_of((255, 255, 0))), client.classify(clip_of((255, 255, 255)))

    assert known.verdict == Verdict("show", (known.shows[0].show,))
    assert unknown.verdict == Verdict("unknown")


def test_a_classifier_describes_its_model(steps: Steps) -> None:
    assert steps.classifier.shows == ("Red Show", "Green Show", "Blue Show")
    assert steps.classifier.model == ModelInfo("mean-colour", "1.2.3", "0" * 64, "Apache-2.0")
    assert steps.classifier.threshold == -1
    assert steps.classifier.embedding_size == 3
