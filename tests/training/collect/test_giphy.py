"""Giphy's answers as the provider reads them, from a server on this machine."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.errors import GifTooLarge
from tests.support.giphy_server import KEY, Item, Library, result, serving
from training.collect.giphy import Giphy, Signed, read_result
from training.collect.journal import Journal
from training.collect.providers import Gone, Search
from training.collect.quota import Quota
from training.collect.shows import ShowOptions
from training.errors import InvalidOptions

SEARCH = Search("Red Show", "red", "pg-13", "en", 5000)
GIF = b"GIF89a and more"
OPTIONS: dict[str, Any] = {"api": "https://api.giphy.com", "attempts": 3, "backoff_s": 0, "timeout_s": 5}


@pytest.fixture
def giphy_of(tmp_path: Path) -> Callable[..., Giphy]:
    """A function that opens the provider at a library, its waits written down in `waits`."""

    def make(library: Library, waits: list[float] | None = None, **options: float) -> Giphy:
        clock = [1e9]

        def wait(seconds: float) -> None:
            if waits is not None:
                waits.append(seconds)
            clock[0] += seconds

        journal = Journal(tmp_path, "giphy")
        quota = Quota("Giphy", 100, journal, wait=wait, clock=lambda: clock[0])
        shows = (ShowOptions(title="Red Show", queries=("red", "scarlet")),)
        return Giphy(KEY, shows, quota, **{**OPTIONS, "api": library.address, **options})

    return make


def test_pages_are_requested_up_to_the_last_offset(giphy_of):
    with serving(Library({"red": [Item(f"r{number}", GIF) for number in range(5100)]})) as library:
        giphy = giphy_of(library)

        first, last = giphy.search(SEARCH, ""), giphy.search(SEARCH, "4950")

    assert (len(first.found), first.next) == (50, "50")
    assert (len(last.found), last.next) == (49, None)
    requested = [(each["offset"], each["limit"], each["rating"], each["lang"]) for each in library.parameters]
    assert requested == [("0", "50", "pg-13", "en"), ("4950", "49", "pg-13", "en")]


def test_without_pagination_an_empty_page_does_not_end_a_search(giphy_of):
    with serving(Library({"red": [Item(f"r{number}", GIF) for number in range(50)]})) as library:
        giphy = giphy_of(library)
        told = giphy.search(SEARCH, "")
        library.pagination = False

        bare, last = giphy.search(SEARCH, ""), giphy.search(SEARCH, "50")

    assert (told.next, bare.next, last.next) == (None, "50", "50")
    assert (told.attempts, bare.attempts, last.attempts) == (0, 0, 3)
    assert library.asked[2:] == ["search red 50"] * 3


@pytest.mark.parametrize("fault", ["empty", "empty no pagination", "empty no id"])
def test_an_empty_page_that_does_not_say_it_is_the_last_is_requested_again(giphy_of, fault):
    with serving(Library({"red": [Item("r", GIF)]})) as library:
        library.faults["search red 0"] = [fault, fault]

        page = giphy_of(library).search(SEARCH, "")

    assert [found.id for found in page.found] == ["r"]
    assert library.asked == ["search red 0"] * 3


def test_a_search_without_results_is_requested_once(giphy_of):
    with serving(Library()) as library:
        page = giphy_of(library).search(SEARCH, "")

    assert (page.found, page.next, page.attempts) == ((), None, 0)
    assert library.asked == ["search red 0"]


@pytest.mark.parametrize("fault", ["429 in 200", "429 bare"])
def test_after_too_many_calls_it_waits_until_the_oldest_call_is_an_hour_old(giphy_of, fault):
    waits: list[float] = []
    with serving(Library({"red": [Item("r", GIF)]})) as library:
        library.faults["search red 0"] = [fault]

        page = giphy_of(library, waits).search(SEARCH, "")

    assert [found.id for found in page.found] == ["r"]
    assert waits == [3600]


def test_it_waits_after_headers_that_say_no_call_is_left(giphy_of):
    waits: list[float] = []
    with serving(Library({"red": [Item("r", GIF)]})) as library:
        library.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "120"}
        giphy = giphy_of(library, waits)
        giphy.search(SEARCH, "")
        assert waits == []

        giphy.search(SEARCH, "")

    assert waits == [120]


def test_missing_and_too_large_files_differ_from_transient_failures(giphy_of):
    with serving(Library({"red": [Item("big", GIF), Item("away", GIF), Item("busy", GIF)]})) as library:
        giphy = giphy_of(library, max_bytes=len(GIF))
        big, away, busy = giphy.search(SEARCH, "").found
        library.results["red"][0] = Item("big", GIF + b"!")  # more than the page said
        library.faults["file away"] = ["404"]
        library.faults["file busy"] = ["500"] * 3

        with pytest.raises(GifTooLarge):
            giphy.fetch(big)
        with pytest.raises(Gone) as gone:
            giphy.fetch(away)
        with pytest.raises(Gone) as waiting:
            giphy.fetch(busy)

    assert (gone.value.forever, waiting.value.forever) == (True, False)


def test_the_key_is_in_no_log_at_any_level(giphy_of, caplog):
    caplog.set_level(logging.DEBUG)
    with serving(Library({"red": [Item("r", GIF)]})) as library:
        giphy = giphy_of(library)

        giphy.fetch(giphy.search(SEARCH, "").found[0])

    assert library.parameters[0]["api_key"] == KEY
    assert all(KEY not in address for address in library.addresses[1:])  # files are fetched without
    assert "v1/gifs/search" in caplog.text
    assert KEY not in caplog.text
    assert KEY not in repr(giphy)


HOME = httpx.URL("http://127.0.0.1:9")
read = functools.partial(read_result, search=SEARCH, home=HOME, max_bytes=1000)


@pytest.mark.parametrize(
    ("item", "file"),
    [
        (Item("a", GIF), "200.gif"),
        (Item("a", GIF, rendition="downsized"), "200.gif"),
        (Item("a", GIF, rendition="original"), "giphy.gif"),
        (Item("a", b"x" * 1001, original_bytes=900), "giphy.gif"),
    ],
    ids=["fixed_height", "downsized", "original", "the first that fits"],
)
def test_the_first_rendition_that_fits_is_taken_without_parameters(item, file):
    found = read(result(item, str(HOME)))

    assert found is not None
    assert found.media == f"{HOME}/media/a/{file}"


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {},
        {**result(Item("a", GIF), str(HOME)), "type": "sticker"},
        {**result(Item("a", GIF), str(HOME)), "is_sticker": 1},
        {**result(Item("a", GIF), str(HOME)), "images": None},
        result(Item("../a", GIF), str(HOME)),
        result(Item("a", GIF), "http://["),
        result(Item("a", GIF), "http://169.254.169.254"),
        result(Item("a", GIF), "https://giphy.com.example"),
        result(Item("a", b"x" * 1001), str(HOME)),
    ],
)
def test_stickers_and_files_from_elsewhere_are_left_out(odd):
    assert read(odd) is None


def test_values_of_another_type_count_as_missing():
    values = {**result(Item("a", GIF), "https://media.giphy.com"), "title": 3, "username": None, "url": []}

    found = read({**values, "user": {"username": "ann  b\n"}})

    assert found is not None
    assert (found.title, found.username, found.address) == ("", "ann b", "https://giphy.com/gifs/a")


def test_surrogates_and_control_characters_are_replaced():
    values = {
        **result(Item("a", GIF), "https://media.giphy.com"),
        "title": "a\ud83d\x00b\x1b",
        "username": "\udfff",
    }

    found = read(values)

    assert found is not None
    assert (found.title, found.username) == ("a\ufffd\ufffdb\ufffd", "\ufffd")


@pytest.mark.parametrize(
    "api",
    [
        *("ftp://x", "http://", "http://giphy.com:port", "http://giphy.com:80/\n"),
        *("https://ann:s3c/ret@api.giphy.com", "ftp://ann:s3cret@h", "ann:s3cret@h"),
    ],
)
def test_an_invalid_address_is_refused_without_repeating_its_password(api: str) -> None:
    with pytest.raises(InvalidOptions, match="api must be an http address") as caught:
        Giphy(KEY, (), None, **OPTIONS | {"api": api})

    assert "s3c" not in caught.value.message


def test_an_invalid_proxy_is_refused_without_repeating_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://ann:s3c/ret@127.0.0.1:9")

    with pytest.raises(InvalidOptions, match="https_proxy or all_proxy must be") as caught:
        Signed(KEY, httpx.URL("https://api.giphy.com"))

    assert "s3c" not in caught.value.message
    assert caught.value.__suppress_context__
