from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands.terminal import (
    BAR_CELLS,
    bar,
    prediction_line,
    prediction_lines,
    printable,
)
from services.inference import FrameVote, ModelInfo, Prediction, ShowProbability, Verdict

MODEL = ModelInfo("gif-shows", "2026.11.23", "0" * 64, "Apache-2.0")
FRIENDS = Verdict("show", ("Friends",))


def predict(verdict: Verdict = FRIENDS, *, frames: int = 10) -> Prediction:
    """An answer whose last frame says something else than the others."""
    return Prediction(
        shows=(ShowProbability("Friends", 0.75), ShowProbability("進撃の巨人", 0.25)),
        verdict=verdict,
        votes=tuple(
            FrameVote(100 + 200 * index, "Friends" if index < max(frames - 1, 1) else "進撃の巨人", 0.6)
            for index in range(frames)
        ),
        model=MODEL,
    )


def test_a_known_gif() -> None:
    assert [line.plain for line in prediction_lines("a.gif", predict())] == [
        "a.gif: Friends",
        "  1  Friends      75.0%  ███████████████",
        "  2  進撃の巨人   25.0%  █████",
        "  0.10-1.70 s  Friends  9 of 10 frames",
        "  1.90 s  進撃の巨人  1 of 10 frames",
    ]


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (FRIENDS, "Friends"),
        (Verdict("one_of", ("Friends", "進撃の巨人")), "Friends or 進撃の巨人"),
        (Verdict("one_of", ("Friends", "Seinfeld", "The Office US")), "Friends, Seinfeld or The Office US"),
        (Verdict("kind", ("live action",)), "live action, but no show that I know; nearest guess: Friends"),
        (Verdict("unknown"), "unknown; nearest guess: Friends"),
    ],
    ids=["show", "one of two", "one of three", "kind", "unknown"],
)
def test_headline_matches_the_verdict(verdict: Verdict, says: str) -> None:
    headline, *_ = prediction_lines("a.gif", predict(verdict))

    assert headline.plain == f"a.gif: {says}"


@pytest.mark.parametrize(
    ("verdict", "bold"),
    [
        (FRIENDS, ["Friends"]),
        (Verdict("one_of", ("Friends", "進撃の巨人")), ["Friends", "進撃の巨人"]),
        (Verdict("kind", ("live action",)), []),
    ],
    ids=["show", "one of two", "kind"],
)
def test_the_shows_that_are_named_stand_out(verdict: Verdict, bold: list[str]) -> None:
    _, *ranked = list(prediction_lines("a.gif", predict(verdict)))[:3]

    spans = [(line.plain, span) for line in ranked for span in line.spans if span.style == "bold"]
    assert [text[span.start : span.end].strip() for text, span in spans] == bold


@pytest.mark.parametrize(
    ("frames", "lines"),
    [
        (1, ["  0.10 s  Friends  1 frame"]),
        (3, ["  0.10-0.30 s  Friends  2 of 3 frames", "  0.50 s  進撃の巨人  1 of 3 frames"]),
    ],
)
def test_frames_that_differ_are_counted(frames: int, lines: list[str]) -> None:
    assert [line.plain for line in prediction_lines("a.gif", predict(frames=frames))][3:] == lines


@pytest.mark.parametrize("verdict", [Verdict("unknown"), Verdict("kind", ("live action",))])
def test_no_ranking_without_a_named_show(verdict: Verdict) -> None:
    _, *others = prediction_lines("a.gif", predict(verdict), always_ranked=False)

    assert [line.plain for line in others] == ["  use --top-k 5 to rank the shows anyway"]
    assert "%" not in prediction_line("a.gif", predict(verdict)).plain


def test_without_block_characters_bars_are_drawn_of_ascii() -> None:
    _, first, *_ = prediction_lines("a.gif", predict(), ascii_only=True)

    assert first.plain == "  1  Friends      75.0%  ###############"


@given(st.floats(0, 1))
def test_a_bar_is_as_long_as_its_probability(probability: float) -> None:
    drawn = bar(probability)

    assert abs(len(drawn.rstrip("▏▎▍▌▋▊▉")) - probability * BAR_CELLS) <= 1
    assert len(drawn) <= BAR_CELLS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name.gif", "plain name.gif"),
        ("Pokémon 進撃.gif", "Pokémon 進撃.gif"),
        ("\x1b[31mred\n.gif", "\\x1b[31mred\\n.gif"),
        ("not\udcffutf8.gif", "not\\udcffutf8.gif"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_printable_text_has_no_control_characters(text: str) -> None:
    assert printable(text).isprintable()
