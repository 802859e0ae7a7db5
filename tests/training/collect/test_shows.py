"""The file of shows, read and refused."""

from __future__ import annotations

import pytest

from training.collect.shows import read_shows
from training.commands.collect import DEFAULT_SHOWS
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
    assert tuple(show.title for show in read_shows(DEFAULT_SHOWS)) == TEN


def test_a_show_may_override_shared_settings(tmp_path):
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
        (None, "must be a TOML file of shows"),
        ("[[show", "must be a TOML file of shows"),
        ("", "with at least one"),
        ("show = 3", "with at least one"),
        ("show = [3]", "with at least one"),
        ("colour = 1\n" + SHOW, "this is colour"),
        (SHOW + "colour = 1", "this is colour"),
        (SHOW * 2, "A twice"),
        ('[[show]]\nqueries = ["a"]', "title must be given"),
        ('[[show]]\ntitle = " "\nqueries = ["a"]', "title must be text"),
        ('[[show]]\ntitle = "A"', "queries must be given"),
        ('[[show]]\ntitle = "A"\nqueries = []', "queries must be of at least 1 item"),
        ('[[show]]\ntitle = "A"\nqueries = "a"', "queries must be a valid tuple"),
        ('[[show]]\ntitle = "A"\nqueries = ["a", "a"]', "queries must be different from each other"),
        ('[[show]]\ntitle = "A"\nqueries = [["a"]]', "must be a valid string"),
        ('[[show]]\ntitle = "A"\nqueries = [""]', "must be text"),
        (f'[[show]]\ntitle = "A"\nqueries = ["{"a" * 51}"]', "of at most 50 characters"),
        (SHOW + 'rating = "x"', "rating must be 'g', 'pg', 'pg-13' or 'r'"),
        (SHOW + 'language = "german"', "language must be of pattern"),
        (SHOW + "language = 3", "language must be a valid string"),
        (SHOW + "results = 0", "results must be greater than or equal to 1"),
        (SHOW + "results = 5000", "results must be less than or equal to 4999"),
        (SHOW + "results = true", "results must be a valid integer"),
    ],
)
def test_invalid_files_are_refused(tmp_path, text, why):
    path = tmp_path / "shows.toml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(InvalidOptions, match=why):
        read_shows(path)
