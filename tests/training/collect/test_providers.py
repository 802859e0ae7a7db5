"""A provider of GIFs as docs/collect.md describes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from services.errors import GifTooLarge
from tests.support.scenes import draw_scene
from training.collect.collection import Collection
from training.collect.collector import Collector, Watch
from training.collect.journal import Journal
from training.collect.providers import Found, Gone, Page, Provider, Search
from training.errors import InvalidCollection


class Shelf:
    """GIFs by name, one on each page."""

    name = "shelf"
    terms = "Courtesy of the shelf."
    folder = None

    def __init__(self, files: Mapping[str, bytes | Exception]) -> None:
        self.files, self.asked = files, list[str]()

    def searches(self) -> tuple[Search, ...]:
        return (Search("My Show", "my words", results=100),)

    def search(self, search: Search, cursor: str) -> Page:
        self.asked.append(f"page {cursor}")
        names = list(self.files)
        place = int(cursor or 0)
        found = Found(
            names[place], search.show, search.query, f"shelf/{place}", "ann", "A title", names[place]
        )
        return Page((found,), str(place + 1) if place + 1 < len(names) else None, left_out=1)

    def fetch(self, found: Found) -> bytes:
        self.asked.append(f"file {found.media}")
        content = self.files[found.media]
        if isinstance(content, Exception):
            raise content
        return content


def run(provider: Provider, out: Path) -> tuple[Collection, Exception | None]:
    with Journal(out, provider.name) as journal, Watch(None) as watch:
        collector = Collector(provider, out, journal, watch=watch)
        return collector.run(), collector.failure


def test_any_class_with_the_members_of_provider_is_collected_from(tmp_path):
    shelf = Shelf(
        {
            "a": draw_scene(1),
            "b": draw_scene(1, captioned=True),
            "gone": Gone("sold", forever=True),
            "big": GifTooLarge("length", allowed=1, found=2, unit="bytes"),
        }
    )

    collection, failure = run(shelf, tmp_path)

    assert failure is None
    assert [(entry.id, entry.group, entry.source) for entry in collection.entries] == [
        ("shelf:a", "shelf:a", "shelf:ann"),
        ("shelf:b", "shelf:a", "shelf:ann"),
    ]
    assert {each.id: each.message for each in collection.set_aside}["shelf:gone"] == "sold"
    assert collection.left_out == 4
    assert len(shelf.asked) == len(set(shelf.asked)) == 8

    assert run(shelf, tmp_path) == (collection, None)
    assert len(shelf.asked) == 8


def test_a_collection_stays_with_its_provider(tmp_path):
    run(Shelf({"a": draw_scene(1)}), tmp_path)

    with pytest.raises(InvalidCollection, match="it holds a collection of provider shelf"):
        Journal(tmp_path, "giphy")


def test_ids_that_cannot_be_part_of_a_file_name_are_refused():
    with pytest.raises(ValueError, match="letters, digits"):
        Found("../x", "Show", "", "", "", "", "")
