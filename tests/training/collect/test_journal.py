"""What a collection remembers, and when it cannot."""

from __future__ import annotations

import pytest

from training.collect.journal import NAME, Contents, GifFile, Journal
from training.collect.providers import Found, Page, Search
from training.errors import InvalidCollection

SEARCH = Search("Show", "words", "g", "en", 10)


def found(id_: str) -> Found:
    return Found(id_, "Show", "words", "https://a", "ann", "A title", "media")


def test_pages_keep_each_gif_once_in_order(tmp_path):
    with Journal(tmp_path, "giphy") as journal:
        assert journal.progress(SEARCH).cursor == ""
        assert journal.add_page(SEARCH, "", Page((found("b"), found("a"), found("b")), "3", left_out=1)) == 2
        assert journal.add_page(SEARCH, "3", Page((found("a"),), "4")) == 0
    with Journal(tmp_path, "giphy") as journal:
        progress = journal.progress(SEARCH)

        assert (progress.cursor, progress.found, progress.stale, progress.left_out) == ("4", 2, 1, 1)
        assert journal.found(SEARCH) == (found("b"), found("a"))
        assert journal.found(Search("Show", "other words")) == ()


def test_a_page_is_recorded_completely_or_not_at_all(tmp_path):
    with Journal(tmp_path, "giphy") as journal:
        journal.add_page(SEARCH, "", Page((found("a"),), "1"))
        with pytest.raises(Exception, match="UNIQUE"):
            journal.add_page(SEARCH, "", Page((found("b"),), "2"))

        assert journal.found(SEARCH) == (found("a"),)
        assert journal.progress(SEARCH).cursor == "1"


def test_forgetting_keeps_the_contents_of_gifs(tmp_path):
    look = Contents(4, 3, 2, b"bits")
    with Journal(tmp_path, "folder") as journal:
        journal.keep("a", GifFile("digest", "gifs/a.gif", 9), look)
        journal.refuse("b", "NOT_A_GIF", "it is none")

        journal.forget()

        assert (journal.file("a"), journal.refused("b"), journal.contents("digest")) == (None, None, look)


def test_a_damaged_journal_and_one_in_use_are_typed_errors(tmp_path):
    with Journal(tmp_path, "giphy"), pytest.raises(InvalidCollection, match="another program"):
        Journal(tmp_path, "giphy")
    (tmp_path / NAME).write_bytes(b"no database " * 100)

    with pytest.raises(InvalidCollection, match="is damaged"):
        Journal(tmp_path, "giphy")
    with pytest.raises(InvalidCollection, match="cannot be made"):
        Journal(tmp_path / NAME / "nowhere", "giphy")
