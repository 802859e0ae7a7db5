"""Pipelines whose steps run in this process, or in services over gRPC."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.pipeline import Pipeline, local
from gateway.remote import remote
from services.clip import Clip
from services.errors import GifTooLarge, ModelError, NotAGif, ServiceUnavailable
from services.inference import Classifier, Prediction
from services.pair import build_pair
from services.preprocess import Budget, decode_gif
from services.rpc.server import serving
from services.rpc.settings import ChannelSettings, ServerSettings

SaveGif = Callable[..., Path]
Open = Callable[..., Pipeline]
NOWHERE = "127.0.0.1:1"
IMPATIENT = ChannelSettings(attempts=1)


@pytest.fixture
def address(model_path: Path) -> Iterator[str]:
    """The address of a server with both services."""
    classifier = Classifier(model_path)
    with serving(lambda: build_pair(ServerSettings(port=0), classifier, Budget())) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(params=["local", "remote"])
def open_pipeline(request: pytest.FixtureRequest, model_path: Path) -> Open:
    """A function that makes a pipeline with a budget."""
    if request.param == "local":
        return lambda **options: local(model_path, **options)
    address = request.getfixturevalue("address")
    return lambda **options: remote(address, address, **options)


def test_the_pipeline_adds_nothing_to_its_two_steps(
    open_pipeline: Open, model_path: Path, save_gif: SaveGif
) -> None:
    gif = save_gif("three.gif", "red", "lime", "blue").read_bytes()

    prediction = open_pipeline().identify(gif)

    assert prediction == Classifier(model_path).classify(decode_gif(gif))
    assert {ranked.show for ranked in prediction.shows} == {"Red Show", "Green Show", "Blue Show"}
    assert len(open_pipeline().identify(gif, top_k=1).shows) == 1


def test_the_budget_reaches_the_decoder(open_pipeline: Open, save_gif: SaveGif) -> None:
    with pytest.raises(GifTooLarge, match="animation is limited to 1 frames"):
        open_pipeline(budget=Budget(max_frames=1)).identify(save_gif("a.gif", "red", "blue").read_bytes())


def test_a_pipeline_describes_its_model_and_is_ready(open_pipeline: Open) -> None:
    description = open_pipeline().describe()

    open_pipeline().check()
    assert (description.model.name, description.unknown_threshold) == ("mean-colour", 0.25)
    assert description.shows == ("Red Show", "Green Show", "Blue Show")


def test_a_failed_decode_is_never_classified(model_path: Path) -> None:
    def classify(clip: Clip, top_k: int, *, exact: bool = False) -> Prediction:
        raise AssertionError

    with pytest.raises(NotAGif):
        dataclasses.replace(local(model_path), classify=classify).identify(b"no gif")


def test_a_missing_model_is_refused_before_any_gif(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such file"):
        local(tmp_path / "none.onnx")


def test_a_missing_service_is_named(address: str, save_gif: SaveGif) -> None:
    gif = save_gif("red.gif", "red").read_bytes()

    for preprocess, inference in ((address, NOWHERE), (NOWHERE, address)):
        pipeline = remote(preprocess, inference, channel=IMPATIENT)
        for ask in (pipeline.check, lambda asked=pipeline: asked.identify(gif)):
            with pytest.raises(ServiceUnavailable, match=r"cannot reach 127\.0\.0\.1:1"):
                ask()
