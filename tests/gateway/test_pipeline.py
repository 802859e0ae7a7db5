from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.pipeline import local
from services.clip import Clip
from services.errors import GifTooLarge, InvalidArgument, ModelError, NotAGif
from services.inference import Classifier, Prediction
from services.preprocess import Budget, decode_gif

SaveGif = Callable[..., Path]


def test_a_gif_becomes_a_prediction(model_path: Path, save_gif: SaveGif) -> None:
    prediction = local(model_path).identify(save_gif("red.gif", "red").read_bytes())

    assert prediction.known
    assert [ranked.show for ranked in prediction.shows] == ["Red Show", "Green Show", "Blue Show"]
    assert prediction.model.name == "mean-colour"


def test_votes_follow_the_colours_through_the_gif(model_path: Path, save_gif: SaveGif) -> None:
    gif = save_gif("two.gif", "red", "blue").read_bytes()

    prediction = local(model_path).identify(gif, top_k=1)

    assert len(prediction.shows) == 1
    assert [(vote.show, vote.timestamp_ms < 500) for vote in prediction.frames] == [
        *[("Red Show", True)] * 5,
        *[("Blue Show", False)] * 5,
    ]


def test_the_pipeline_adds_nothing_to_its_two_steps(model_path: Path, save_gif: SaveGif) -> None:
    gif = save_gif("three.gif", "red", "lime", "blue").read_bytes()
    classifier = Classifier(model_path)

    assert local(model_path).identify(gif) == classifier.classify(decode_gif(gif))


def test_a_local_pipeline_describes_its_model_and_is_ready(model_path: Path) -> None:
    pipeline = local(model_path)

    description = pipeline.describe()

    pipeline.check()
    assert (description.model.name, description.unknown_threshold) == ("mean-colour", 0.25)
    assert description.shows == ("Red Show", "Green Show", "Blue Show")


def test_an_error_of_a_step_comes_through(model_path: Path, save_gif: SaveGif) -> None:
    pipeline = local(model_path)

    with pytest.raises(NotAGif):
        pipeline.identify(b"<html>")
    with pytest.raises(InvalidArgument):
        pipeline.identify(save_gif("red.gif", "red").read_bytes(), top_k=0)


def test_a_failed_decode_is_never_classified(model_path: Path) -> None:
    def classify(clip: Clip, top_k: int, *, exact: bool = False) -> Prediction:
        raise AssertionError

    with pytest.raises(NotAGif):
        dataclasses.replace(local(model_path), classify=classify).identify(b"no gif")


def test_the_budget_reaches_the_decoder(model_path: Path, save_gif: SaveGif) -> None:
    pipeline = local(model_path, budget=Budget(max_canvas_pixels=64 * 48 - 1))

    with pytest.raises(GifTooLarge, match="3,072"):
        pipeline.identify(save_gif("red.gif", "red").read_bytes())


def test_a_bad_model_is_refused_before_any_gif(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such file"):
        local(tmp_path / "none.onnx")
