"""Verdicts: each level, its text, and clips that show nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from services.clip import CLIP_SHAPE, CLIP_SIZE, Clip
from services.errors import ModelError
from services.inference import Classifier, Verdict, VerdictRule
from services.inference.metadata import write_verdict
from services.inference.prediction import UNKNOWN, decide, is_plain, sigmoid
from tests.support.models import KINDS, VERDICT, familiar_model

ClipOf = Callable[..., Clip]

SHOWS = ("Friends", "Seinfeld", "The Office US", "Naruto")
PICTURES = dict(zip(SHOWS, ("live action", "live action", "live action", "anime"), strict=True))
RULE = VerdictRule(show=0.8, one_of=0.7, kind=0.9)
CERTAIN = 50.0  # a familiarity whose sigmoid is 1


def decided(
    *shares: float, familiarity: float = CERTAIN, rule: VerdictRule | None = RULE, kinds: bool = True
) -> Verdict:
    """The verdict for these probabilities of the shows."""
    return decide(
        SHOWS,
        np.array(shares, np.float32),
        familiarity,
        rule=rule,
        unknown_threshold=-1.0,
        kinds=PICTURES if kinds else None,
    )


# Levels


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ((0.05, 0.85, 0.05, 0.05), Verdict("show", ("Seinfeld",))),
        ((0.1, 0.6, 0.05, 0.25), Verdict("one_of", ("Seinfeld", "Naruto"))),
        ((0.35, 0.2, 0.3, 0.15), Verdict("one_of", ("Friends", "The Office US", "Seinfeld"))),
        ((0.4, 0.4, 0.0, 0.2), Verdict("one_of", ("Friends", "Seinfeld"))),
    ],
    ids=["one show", "two of two kinds", "three", "equal shows keep the order of the model"],
)
def test_shows_are_named_if_they_reach_a_threshold(shares: tuple[float, ...], verdict: Verdict) -> None:
    assert decided(*shares) == verdict


def test_with_less_familiarity_higher_probabilities_are_needed() -> None:
    shares, half = (0.9, 0.04, 0.03, 0.03), 0.0

    assert decided(*shares).level == "show"
    assert decided(*shares, familiarity=half) == Verdict("kind", ("live action",))
    assert decided(*shares, familiarity=half, kinds=False) == UNKNOWN


def test_a_kind_is_named_if_its_shows_have_the_share() -> None:
    assert decided(0.3, 0.3, 0.31, 0.09, familiarity=0).level == "kind"
    assert decided(0.3, 0.3, 0.28, 0.12, familiarity=0) == UNKNOWN


def test_a_clip_below_the_unknown_threshold_is_unknown() -> None:
    assert decided(1, 0, 0, 0, familiarity=-1.01) == UNKNOWN
    assert decided(1, 0, 0, 0, familiarity=-1.01, rule=None) == UNKNOWN


def test_without_a_rule_the_best_show_is_named() -> None:
    assert decided(0.2, 0.3, 0.25, 0.25, familiarity=-1, rule=None) == Verdict("show", ("Seinfeld",))


@given(
    shares=st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(any), familiarity=st.floats(-2, 60)
)
def test_a_threshold_above_1_is_never_reached(shares: list[int], familiarity: float) -> None:
    probabilities = [share / sum(shares) for share in shares]
    never = 1.01

    for level in ("show", "one_of", "kind"):
        rule = VerdictRule(**{"show": 0.5, "one_of": 0.5, "kind": 0.5, level: never})
        assert decided(*probabilities, familiarity=familiarity, rule=rule).level != level


@given(
    shares=st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(any), familiarity=st.floats(-3, 60)
)
def test_a_verdict_fits_its_level(shares: list[int], familiarity: float) -> None:
    probabilities = {show: share / sum(shares) for show, share in zip(SHOWS, shares, strict=True)}

    verdict = decided(*probabilities.values(), familiarity=familiarity)

    joint = sum(probabilities[name] for name in verdict.names if verdict.known) * sigmoid(familiarity)
    match verdict.level:
        case "show":
            assert len(verdict.names) == 1
            assert joint >= RULE.show - 1e-6
        case "one_of":
            assert len(verdict.names) in (2, 3)
            assert joint >= RULE.one_of - 1e-6
        case "kind":
            assert set(verdict.names) <= set(PICTURES.values())
        case "unknown":
            assert verdict.names == ()
    assert verdict.known == (verdict.level in ("show", "one_of"))


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (Verdict("show", ("Friends",)), "Friends"),
        (Verdict("one_of", ("Friends", "Seinfeld")), "Friends or Seinfeld"),
        (
            Verdict("one_of", ("Friends", "Seinfeld", "The Office US")),
            "Friends, Seinfeld or The Office US",
        ),
        (Verdict("kind", ("live action",)), "live action, but no show that I know"),
        (UNKNOWN, "unknown"),
    ],
)
def test_a_verdict_in_words(verdict: Verdict, text: str) -> None:
    assert verdict.text == text


@pytest.mark.parametrize("familiarity", [-1e9, -2.0, 0.0, 2.0, 1e9])
def test_the_sigmoid_takes_any_number(familiarity: float) -> None:
    assert sigmoid(familiarity) == pytest.approx(1 - sigmoid(-familiarity))


# Clips of one colour


def still(picture: np.ndarray) -> np.ndarray:
    """Ten frames of one picture, grey or coloured."""
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    return np.array(np.broadcast_to(picture, CLIP_SHAPE), np.uint8, order="C")


def text_on_black() -> np.ndarray:
    picture = Image.new("L", (CLIP_SIZE, CLIP_SIZE))
    ImageDraw.Draw(picture).text((100, 100), "The End", fill="white")
    return still(np.asarray(picture))


def one_frame_with_content() -> np.ndarray:
    frames = np.zeros(CLIP_SHAPE, np.uint8)
    frames[7, :, :112] = 255
    return frames


@pytest.mark.parametrize(
    ("frames", "plain"),
    [
        (still(np.full((CLIP_SIZE, CLIP_SIZE, 3), (200, 10, 60))), True),
        (np.broadcast_to(25 * np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1), CLIP_SHAPE), True),
        ((128 + np.random.default_rng(0).integers(-2, 3, CLIP_SHAPE)).astype(np.uint8), True),
        (still(np.linspace(100, 130, CLIP_SIZE)[np.newaxis, :]), False),
        (text_on_black(), False),
        (one_frame_with_content(), False),
    ],
    ids=["one colour", "a colour for each frame", "noise", "a gradient", "text on black", "one frame"],
)
def test_frames_of_nearly_one_colour_are_plain(frames: np.ndarray, plain: bool) -> None:
    assert is_plain(frames) == plain


@pytest.mark.parametrize("path", ["model_path", "familiar_path"])
def test_a_plain_clip_is_unknown(request: pytest.FixtureRequest, clip_of: ClipOf, path: str) -> None:
    classifier = Classifier(request.getfixturevalue(path))
    red = still(np.full((CLIP_SIZE, CLIP_SIZE, 3), (255, 0, 0)))

    plain = classifier.classify(Clip(red, clip_of((0, 0, 0)).timestamps_ms))

    assert plain.verdict == UNKNOWN
    assert (plain.known, plain.shows[0].show) == (False, "Red Show")
    assert classifier.classify(clip_of((255, 0, 0))).known


# With a real session


def test_kinds_are_optional_in_a_file(familiar_path: Path, model_path: Path) -> None:
    assert Classifier(familiar_path).kinds == KINDS
    assert Classifier(model_path).kinds is None


def test_a_rule_is_written_as_it_is_read(tmp_path: Path, clip_of: ClipOf) -> None:
    never = VerdictRule(show=2, one_of=2, kind=0)
    onnx.save(familiar_model(metadata={"verdict": write_verdict(never)}), tmp_path / "model.onnx")

    verdict = Classifier(tmp_path / "model.onnx").classify(clip_of((255, 0, 0))).verdict

    assert verdict == Verdict("kind", ("live action",))


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"verdict": "sure"}, "its verdict must be a JSON object of kind, one_of, show, it is sure"),
        ({"verdict": '{"show": 0.8}'}, "its verdict must be a JSON object of kind, one_of, show"),
        ({"verdict": json.dumps({**VERDICT, "guess": 0})}, "its verdict must be a JSON object of kind"),
        ({"verdict": json.dumps({**VERDICT, "show": "0.8"})}, "its verdict must hold numbers"),
        ({"verdict": json.dumps({**VERDICT, "show": True})}, "its verdict must hold numbers"),
        ({"verdict": json.dumps({**VERDICT, "kind": -0.1})}, "its verdict is invalid: kind must be"),
        ({"verdict": json.dumps({**VERDICT, "kind": float("nan")})}, "its verdict is invalid: kind must be"),
        ({"verdict": json.dumps({**VERDICT, "kind": 10**400})}, "its verdict is invalid: "),
        ({"kinds": "anime"}, "its kinds must be a JSON object of titles and kinds, they are anime"),
        ({"kinds": '["anime"]'}, "its kinds must be a JSON object of titles and kinds"),
        ({"kinds": json.dumps({**KINDS, "Red Show": " "})}, "its kinds must be a JSON object of titles"),
        ({"kinds": json.dumps({**KINDS, "Red Show": 3})}, "its kinds must be a JSON object of titles"),
        ({"kinds": '{"Red Show": "anime"}'}, "each of its shows once; not so: Blue Show, Green Show"),
        ({"kinds": json.dumps({**KINDS, "Pink Show": "anime"})}, "each of its shows once; not so: Pink Show"),
    ],
)
def test_an_invalid_verdict_rule_or_kinds_are_refused(
    tmp_path: Path, metadata: dict[str, str], says: str
) -> None:
    onnx.save(familiar_model(metadata=metadata), tmp_path / "model.onnx")

    with pytest.raises(ModelError, match=re.escape(says)):
        Classifier(tmp_path / "model.onnx")
