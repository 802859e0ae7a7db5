"""The file of shows, read and refused."""

from __future__ import annotations

import pytest

from training.collect.shows import read_shows
from training.errors import InvalidOptions

TEN = (
    "Game of Thrones",
    "Breaking Bad",
    "Stranger Things",
    "The Walking Dead",
    "Friends",
    "The Big Bang Theory",
    "The Office",
    "Black Mirror",
    "True Detective",
    "Peaky Blinders",
)


def test_the_file_of_the_project_has_the_ten_shows():
    assert tuple(show.title for show in read_shows()) == TEN


def test_a_show_may_set_its_own(tmp_path):
    path = tmp_path / "shows.toml"
    path.write_text(
        'rating = "g"\nlanguage = "de"\nresults = 7\n'
        '[[show]]\ntitle = "A"\nqueries = ["a"]\n[[show]]\ntitle = "B"\nqueries = ["b"]\nrating = "r"\n'
    )

    first, second = read_shows(path)

    assert (first.rating, first.language, first.results) == ("g", "de", 7)
    assert (second.rating, second.language, second.results) == ("r", "de", 7)


SHOW = '[[show]]\ntitle = "A"\nqueries = ["a"]\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[show", "must be a TOML file of shows"),
        ("", "with at least one"),
        ("show = 3", "with at least one"),
        ("show = [3]", "with a table for each show"),
        ("colour = 1\n" + SHOW, "this is colour"),
        (SHOW + "colour = 1", "this is colour"),
        (SHOW * 2, "A twice"),
        ('[[show]]\nqueries = ["a"]', "title must be text"),
        ('[[show]]\ntitle = "A"', "queries must be at least one"),
        ('[[show]]\ntitle = "A"\nqueries = "a"', "queries must be a list"),
        ('[[show]]\ntitle = "A"\nqueries = ["a", "a"]', "queries must be each once"),
        ('[[show]]\ntitle = "A"\nqueries = [["a"]]', "texts of at most 50"),
        ('[[show]]\ntitle = "A"\nqueries = [""]', "texts of at most 50"),
        (f'[[show]]\ntitle = "A"\nqueries = ["{"a" * 51}"]', "texts of at most 50"),
        (SHOW + 'rating = "x"', "rating must be one of"),
        (SHOW + 'language = "german"', "language must be like en"),
        (SHOW + "language = 3", "language must be like en"),
        (SHOW + "results = 0", "results must be in 1..4999"),
        (SHOW + "results = 5000", "results must be in 1..4999"),
        (SHOW + "results = true", "results must be in 1..4999"),
    ],
)
def test_what_cannot_be_is_one_typed_error(tmp_path, text, why):
    path = tmp_path / "shows.toml"
    path.write_text(text)

    with pytest.raises(InvalidOptions, match=why):
        read_shows(path)


def test_a_missing_file_is_one_too(tmp_path):
    with pytest.raises(InvalidOptions, match="a TOML file of shows"):
        read_shows(tmp_path / "none.toml")
