from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands.table import BAR_CELLS, VoteRun, bar, prediction_lines, printable, vote_runs
from services.inference import FrameVote, ModelInfo, Prediction, ShowProbability

MODEL = ModelInfo("gif-shows", "2026.11.23", "0" * 64, "Apache-2.0")


def predict(*, known: bool) -> Prediction:
    return Prediction(
        shows=(ShowProbability("Friends", 0.75), ShowProbability("進撃の巨人", 0.25)),
        known=known,
        frames=tuple(
            FrameVote(100 + 200 * index, "Friends" if index < 9 else "進撃の巨人", 0.6) for index in range(10)
        ),
        model=MODEL,
    )


def test_a_known_gif() -> None:
    assert [line.plain for line in prediction_lines("a.gif", predict(known=True))] == [
        "a.gif: Friends",
        "  1  Friends      75.0%  ███████████████",
        "  2  進撃の巨人   25.0%  █████",
        "  0.10-1.70 s  Friends  9 of 10 frames",
        "  1.90 s  進撃の巨人  1 of 10 frames",
    ]


def test_an_unknown_gif_says_so_and_names_the_nearest_guess() -> None:
    headline, *_ = prediction_lines("a.gif", predict(known=False))

    assert headline.plain == "a.gif: unknown, like none of the model's shows; nearest guess: Friends"


def test_without_block_characters_bars_are_drawn_of_ascii() -> None:
    _, first, *_ = prediction_lines("a.gif", predict(known=True), ascii_only=True)

    assert first.plain == "  1  Friends      75.0%  ###############"


def test_neighbouring_votes_for_a_show_are_one_run() -> None:
    votes = [FrameVote(time, show, 0.9) for time, show in ((0, "A"), (100, "A"), (200, "B"), (300, "A"))]

    assert vote_runs(votes) == [VoteRun("A", 0, 100, 2), VoteRun("B", 200, 200, 1), VoteRun("A", 300, 300, 1)]


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
def test_what_would_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_printable_text_has_no_control_characters(text: str) -> None:
    assert printable(text).isprintable()
