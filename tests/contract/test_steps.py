"""The two steps as local functions and as services: both must behave the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gif_analyzer.v1 import inference_pb2 as pb
from gif_analyzer.v1.inference_pb2_grpc import add_InferenceServiceServicer_to_server
from grpc import aio

from services.clip import CLIP_SHAPE, Clip, GifSource
from services.errors import CorruptGif, GifTooLarge, InvalidArgument, InvalidClip, NotAGif
from services.inference import Classifier, ModelInfo, Verdict
from services.inference.rpc import SERVICE, InferenceServicer, RemoteClassifier
from services.preprocess import Budget, decode_gif
from services.preprocess.rpc import RemotePreprocess
from services.rpc.server import RpcServer, serving
from services.rpc.settings import ServerSettings
from tests.support.paths import CORPUS, ROOT, SHARED
from tests.support.pictures import FORMATS_OF
from tests.support.steps import Steps

EXAMPLES = sorted((ROOT / "examples").glob("*.gif"))


def test_a_gif_becomes_a_clip(steps: Steps, gif: bytes) -> None:
    clip = steps.decode_gif(gif)

    assert clip.frames.shape == CLIP_SHAPE
    assert clip.frames.dtype == np.uint8
    assert clip.frames.flags.c_contiguous
    assert clip.timestamps_ms == tuple(range(50, 1050, 100))
    assert isinstance(clip.source, GifSource)
    assert (clip.source.width, clip.source.height, clip.source.frame_count) == (64, 48, 2)
    assert (clip.source.duration_ms, clip.source.size_bytes) == (1000, len(gif))


def test_a_source_tells_the_size_of_what_the_clip_shows(steps: Steps, gif: bytes, letterboxed: bytes) -> None:
    whole, cropped = steps.decode_gif(gif).source, steps.decode_gif(letterboxed).source

    assert whole is not None and (whole.content_width, whole.content_height) == (64, 48)
    assert cropped is not None and (cropped.width, cropped.height) == (160, 120)
    assert (cropped.content_width, cropped.content_height) == (160, 90)
    assert cropped.aspect_ratio == 160 / 90


def test_a_clip_gets_its_shows(steps: Steps, gif: bytes) -> None:
    prediction = steps.classify(steps.decode_gif(gif))

    assert {ranked.show for ranked in prediction.shows} == {"Red Show", "Green Show", "Blue Show"}
    assert [(vote.offset_ms, vote.show) for vote in prediction.votes] == [
        (50, "Red Show"),
        (550, "Blue Show"),
    ]
    assert prediction.known
    assert prediction.verdict.level == "one_of"
    assert set(prediction.verdict.names) == {"Red Show", "Blue Show"}
    assert prediction.model == ModelInfo("mean-colour", "1.2.3", "0" * 64, "Apache-2.0")


@pytest.mark.parametrize(
    ("colour", "verdict"),
    [
        ((255, 0, 0), Verdict("show", ("Red Show",))),
        ((255, 255, 0), Verdict("one_of", ("Red Show", "Green Show"))),
        ((30, 30, 30), Verdict("one_of", ("Red Show", "Green Show", "Blue Show"))),
        ((200, 200, 60), Verdict("kind", ("live action",))),
        ((200, 60, 200), Verdict("unknown")),
        ((255, 255, 255), Verdict("unknown")),
    ],
)
def test_a_clip_gets_its_verdict(
    steps: Steps, clip_of: Callable[..., Clip], colour: tuple[int, int, int], verdict: Verdict
) -> None:
    prediction = steps.classify(clip_of(colour))

    assert prediction.verdict == verdict
    assert len(prediction.votes) == 1


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


@pytest.mark.parametrize(("top_k", "named"), [(1, 1), (2, 2), (100, 3), (2**40, 3)])
def test_top_k_shows_are_named(steps: Steps, gif: bytes, top_k: int, named: int) -> None:
    assert len(steps.classify(steps.decode_gif(gif), top_k).shows) == named


def test_a_classifier_describes_its_model(steps: Steps) -> None:
    assert steps.classifier.shows == ("Red Show", "Green Show", "Blue Show")
    assert steps.classifier.model == ModelInfo("mean-colour", "1.2.3", "0" * 64, "Apache-2.0")
    assert steps.classifier.threshold == -1
    assert steps.classifier.embedding_size == 3


@pytest.mark.parametrize("name", FORMATS_OF)
def test_other_formats_are_supported_and_named(steps: Steps, name: str) -> None:
    clip = steps.decode_gif(FORMATS_OF[name])

    assert clip.source is not None and clip.source.format == name
    prediction = steps.classify(clip, 1)
    assert (prediction.shows[0].show, prediction.format) == ("Red Show", name)


@pytest.mark.parametrize(
    ("content", "found"), [(b"%PDF-1.7\n" + bytes(100), "a PDF document"), (b"", "an empty file")]
)
def test_another_format_is_refused(steps: Steps, content: bytes, found: str) -> None:
    with pytest.raises(NotAGif) as caught:
        steps.decode_gif(content)

    assert caught.value.details == {"found": found}


def test_a_gif_without_a_whole_frame_is_corrupt(steps: Steps, gif: bytes) -> None:
    with pytest.raises(CorruptGif, match="corrupt GIF: not one frame is whole") as caught:
        steps.decode_gif(gif[: gif.index(b"!\xf9")])

    assert caught.value.details == {"why": "not one frame is whole"}


@pytest.mark.parametrize(
    ("budget", "limit", "found"),
    [
        (Budget(max_canvas_pixels=64 * 48 - 1), "canvas", "3072"),
        (Budget(max_frames=1), "animation", "2"),
        (Budget(max_decoded_pixels=64 * 48 * 2 - 1), "decoding", "6144"),
        (Budget(max_frames=0), "animation", "2"),
        (Budget(max_bytes=100), "length", None),
    ],
)
def test_a_file_over_the_budget_is_refused_with_the_limit(
    steps: Steps, gif: bytes, budget: Budget, limit: str, found: str | None
) -> None:
    with pytest.raises(GifTooLarge, match=f"file too large: {limit} is limited to") as caught:
        steps.decode_gif(gif, budget=budget)

    assert caught.value.details["limit"] == limit
    assert caught.value.details["found"] == (found or str(len(gif)))


@pytest.mark.parametrize("top_k", [0, -1])
def test_top_k_below_one_is_refused(steps: Steps, gif: bytes, top_k: int) -> None:
    with pytest.raises(InvalidArgument, match="top_k: it must be at least 1") as caught:
        steps.classify(steps.decode_gif(gif), top_k)

    assert caught.value.details == {"field": "top_k", "expected": "at least 1", "found": str(top_k)}


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


def outcome(decode: Callable[..., Clip], classify: Callable[..., object], gif: bytes) -> object:
    """The results of both steps for a GIF, or the error."""
    try:
        clip = decode(gif)
        return clip.frames.tobytes(), clip.timestamps_ms, clip.source, classify(clip)
    except Exception as error:
        return type(error), str(error), getattr(error, "details", None)


@pytest.fixture
def agree(address: str, classifier: Classifier) -> Callable[[bytes], bool]:
    """Whether both forms return the same for a GIF, to the last bit."""
    preprocess, remote = RemotePreprocess(address), RemoteClassifier(address)

    def compare(gif: bytes) -> bool:
        here = outcome(decode_gif, classifier.classify, gif)
        return here == outcome(preprocess.decode_gif, remote.classify, gif)

    return compare


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_both_forms_agree_on_the_examples(agree: Callable[[bytes], bool], path: Path) -> None:
    assert agree(path.read_bytes())


@pytest.mark.parametrize(
    "folder", [CORPUS, pytest.param(SHARED / "corpus", marks=pytest.mark.corpus)], ids=str
)
def test_both_forms_agree_on_the_corpus(agree: Callable[[bytes], bool], folder: Path) -> None:
    small = [path for path in sorted(folder.glob("*/*.gif")) if path.stat().st_size < 100_000]

    assert len(small) > 100
    assert [path.name for path in small if not agree(path.read_bytes())] == []
