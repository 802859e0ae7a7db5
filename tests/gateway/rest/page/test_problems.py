"""The page explains problems, and offers what can be done about them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from gateway.pipeline import Pipeline, local
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from services.preprocess import Budget
from tests.support.page.gestures import drop_file
from tests.support.page.server import EXAMPLES, HOST, LocalAddresses, serving

MEADOW = EXAMPLES / "meadow.gif"
Visit = Callable[..., Page]


def ask_for(page: Page, address: str) -> None:
    page.get_by_label("or give its address").fill(address)
    page.get_by_role("button", name="Ask").click()


def expect_problem(page: Page, title: str, text: str) -> None:
    heading = page.get_by_role("heading", name=title)
    expect(heading).to_be_visible()
    expect(page.locator("#problem-text")).to_have_text(re.compile(text))
    expect(page.get_by_role("status")).to_contain_text(title)
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_have_count(0)


def bitmap() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 18), "teal").save(file, "BMP")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "title", "text", "code"),
    [
        (bitmap(), "That is not a GIF.", "^It is a BMP image", "NOT_A_GIF"),
        (b"notes", "That is not a GIF.", "^It is ", "NOT_A_GIF"),
        (MEADOW.read_bytes()[:300], "This GIF is broken.", "Not one whole frame", "CORRUPT_GIF"),
    ],
    ids=["bitmap", "text", "broken"],
)
def test_a_file_that_cannot_be_identified(
    visit: Visit, server: str, tmp_path: Path, *, content: bytes, title: str, text: str, code: str
) -> None:
    (tmp_path / "given.gif").write_bytes(content)
    page = visit(server)

    drop_file(page, tmp_path / "given.gif")

    expect_problem(page, title, text)
    expect(page.get_by_role("heading", name=title)).to_be_focused()
    expect(page.get_by_text(code)).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()  # it would stay what it is
    if content == b"notes":
        expect(page.get_by_text("This file has no picture to show.")).to_be_visible()
        expect(page.locator("img.preview")).to_be_hidden()


def test_after_a_problem_the_next_gif_is_answered(visit: Visit, server: str, tmp_path: Path) -> None:
    (tmp_path / "notes.gif").write_text("notes", "utf-8")
    page = visit(server)
    drop_file(page, tmp_path / "notes.gif")
    expect(page.get_by_role("heading", name="That is not a GIF.")).to_be_visible()

    drop_file(page, MEADOW)

    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()
    expect(page.get_by_role("heading", name="That is not a GIF.")).to_have_count(0)


@pytest.mark.parametrize(
    ("address", "title", "text"),
    [
        ("a bunny in a meadow", "That is not an address.", "^It .+ It should look like https://"),
        ("https://example.com/a.gif", "This page may not ask example.com.", "This host is not allowed"),
        (f"{HOST}/none.gif", "Media.giphy.com has no GIF there.", "It answered 404 Not Found"),
        (f"{HOST}/grpc_client.py", "That is not a GIF.", "^It is "),
    ],
)
def test_failed_address_is_explained(visit: Visit, server: str, address: str, title: str, text: str) -> None:
    page = visit(server)

    ask_for(page, address)

    expect_problem(page, title, text)
    expect(page.get_by_label("or give its address")).to_have_value(re.compile(re.escape(address) + "$"))


def test_gif_over_the_limit(visit: Visit, addresses: LocalAddresses) -> None:
    small = local(budget=Budget(max_bytes=100_000))

    with serving(create_app(small, addresses)) as server:
        page = visit(server)
        drop_file(page, MEADOW)

        expect_problem(page, "This GIF is too large.", r"^At most 0\.1 MB are taken, it has 0\.\d MB\.$")


@pytest.mark.parametrize("advice", ["", "send the address of the GIF instead"])
def test_advice_comes_from_the_server(
    visit: Visit, pipeline: Pipeline, addresses: LocalAddresses, advice: str
) -> None:
    settings = RestSettings(max_body_bytes=100_000, body_advice=advice)

    with serving(create_app(pipeline, addresses, settings=settings)) as server:
        page = visit(server)
        drop_file(page, MEADOW)

        words = r" Send the address of the GIF instead\." if advice else ""
        sizes = r"At most 0\.1 MB are taken, it has 0\.\d MB\."
        expect_problem(page, "This GIF is too large.", f"^{sizes}{words}$")


def test_overload_says_when_to_retry(visit: Visit, server: str, addresses: LocalAddresses) -> None:
    page = visit(server)

    ask_for(page, f"{HOST}/busy.gif")

    expect_problem(page, "Many are asking right now.", r"in \d+ seconds?\.$")
    again = page.get_by_role("button", name="Try again", exact=True)
    expect(again).to_be_enabled()
    again.click()
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()
    assert len(addresses.asked) == 2


def test_offline(visit: Visit, server: str) -> None:
    page = visit(server, offline_is_meant=True)
    page.context.set_offline(True)

    page.get_by_label("Choose a GIF").set_input_files(MEADOW)

    expect_problem(page, "You are offline.", "has not left this device")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()


def test_missing_server_is_explained(visit: Visit, addresses: LocalAddresses) -> None:
    with serving(create_app(local(), addresses)) as server:
        page = visit(server, offline_is_meant=True)

    drop_file(page, MEADOW)

    expect_problem(page, "No answer came back.", "Check your connection")
    expect(page.get_by_role("button", name="Try again")).to_be_enabled()


@pytest.fixture
def keyed_server(pipeline: Pipeline, addresses: LocalAddresses) -> Iterator[str]:
    """The address of a gateway that asks for a key."""
    settings = RestSettings(api_keys=("open-sesame",))
    with serving(create_app(pipeline, addresses, settings=settings)) as address:
        yield address


def test_visitor_enters_a_key(visit: Visit, keyed_server: str) -> None:
    page = visit(keyed_server)
    expect(page.locator("#known-note")).to_have_text("This server asks for a key.")
    drop_file(page, MEADOW)
    expect_problem(page, "This server asks for a key.", "Your GIF waits here")
    expect(page.get_by_label("Key", exact=True)).to_be_focused()

    page.keyboard.type("open-says-me")
    page.keyboard.press("Enter")
    expect_problem(page, "This is not a key of this server.", "Check it for a slip")
    page.keyboard.type("open-sesame")  # in place of the other
    page.get_by_role("button", name="Use this key").click()

    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()
    drop_file(page, EXAMPLES / "spinner.gif")  # the key is asked for once
    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()
    expect(page.locator("#titles").get_by_role("listitem")).to_have_count(22)
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
