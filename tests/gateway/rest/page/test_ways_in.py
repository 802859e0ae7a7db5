"""Every way to give the page a GIF, links, back and forward, and lists of files."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from gateway.pipeline import Pipeline
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from services.clip import Clip
from tests.support.page.gestures import drag_over, drop_file, drop_text, paste
from tests.support.page.server import EXAMPLES, HOST, LocalAddresses, serving
from tests.support.pictures import FORMATS_OF

MEADOW = EXAMPLES / "meadow.gif"
Visit = Callable[..., Page]
MEADOW_LINK, SLOW_LINK = (f"?url={quote(f'{HOST}/{name}.gif', safe='')}" for name in ("meadow", "slow"))


def ask_for(page: Page, address: str) -> None:
    page.get_by_label("or give its address").fill(address)
    page.get_by_role("button", name="Ask").click()


def expect_the_bunny(page: Page) -> None:
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()
    expect(page.get_by_role("list", name="How probable each show is").get_by_role("listitem")).to_have_count(
        5
    )
    expect(page.get_by_role("list", name="The ten frames").get_by_role("listitem")).to_have_count(10)


def choose_by_the_screen(page: Page) -> None:
    with page.expect_file_chooser() as opened:
        page.get_by_text("Drop a GIF here").click()
    opened.value.set_files(MEADOW)


GESTURES: dict[str, Callable[[Page], None]] = {
    "dropped": lambda page: drop_file(page, MEADOW, at=(15, 500)),
    "pasted": lambda page: paste(page, file=MEADOW),
    "chosen": lambda page: page.get_by_label("Choose a GIF").set_input_files(MEADOW),
    "chosen by the screen": choose_by_the_screen,
}


@pytest.mark.parametrize("gesture", GESTURES.values(), ids=GESTURES)
def test_a_file_is_answered(visit: Visit, server: str, gesture: Callable[[Page], None]) -> None:
    page = visit(server)

    gesture(page)

    expect_the_bunny(page)
    expect(page.get_by_role("img", name=re.compile("^Preview of "))).to_be_visible()


def test_an_animated_picture_is_answered_and_named(visit: Visit, server: str, tmp_path: Path) -> None:
    (tmp_path / "red.webp").write_bytes(FORMATS_OF["webp"])
    page = visit(server)

    drop_file(page, tmp_path / "red.webp")

    expect(page.locator("#model")).to_have_text(re.compile(r"^WebP · Model gif-shows "))


def test_dragged_file_shows_the_drop_area(visit: Visit, server: str) -> None:
    page = visit(server)

    drag_over(page, MEADOW)

    expect(page.get_by_text("Let go to ask about this GIF")).to_be_visible()
    cover = page.locator("#drop").evaluate("drop => getComputedStyle(drop).backgroundColor")
    assert cover.startswith("rgb(")  # opaque: no other words are read beside it


@pytest.mark.parametrize(
    ("media_type", "text"),
    [
        ("text/uri-list", f"# a link\r\n{HOST}/meadow.gif"),
        ("text/html", f'<a href="https://giphy.com/gifs/1"><img src="{HOST}/meadow.gif"></a>'),
    ],
)
def test_picture_dragged_from_another_page(
    visit: Visit, server: str, addresses: LocalAddresses, media_type: str, text: str
) -> None:
    page = visit(server)

    drop_text(page, media_type, text)

    expect_the_bunny(page)
    assert addresses.asked == [f"{HOST}/meadow.gif"]


def test_picture_copied_from_another_page(visit: Visit, server: str) -> None:
    """Browsers copy a still PNG of it, and the GIF's address beside it."""
    page = visit(server)

    paste(page, file=MEADOW, media_type="image/png", html=f'<img src="{HOST}/brook.gif">')
    expect(page.get_by_role("heading", level=2)).not_to_have_text("Looking…")

    expect_the_bunny(page)


def test_an_address_pasted_from_the_keyboard_is_answered(visit: Visit, server: str) -> None:
    page = visit(server, permissions=["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", f"{HOST}/brook.gif")

    page.keyboard.press("Control+V")

    expect_the_bunny(page)
    expect(page.get_by_label("or give its address")).to_have_value(f"{HOST}/brook.gif")


def test_text_pasted_into_the_address_stays_there(visit: Visit, server: str) -> None:
    page = visit(server, permissions=["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", f"{HOST}/brook.gif")
    page.get_by_label("or give its address").focus()

    page.keyboard.press("Control+V")

    expect(page.get_by_label("or give its address")).to_have_value(f"{HOST}/brook.gif")
    expect(page.get_by_role("heading", level=2)).to_have_count(0)


def test_address_previews_its_frames(visit: Visit, server: str, addresses: LocalAddresses) -> None:
    page = visit(server)

    ask_for(page, "media.giphy.com/meadow.gif")

    expect_the_bunny(page)
    expect(page.get_by_role("img", name="Preview of media.giphy.com, as the model saw it")).to_be_visible()
    assert addresses.asked == [f"{HOST}/meadow.gif"]


def test_an_example_is_at_hand(visit: Visit, server: str) -> None:
    page = visit(server)

    page.get_by_role("button", name="Try an example").click()

    expect_the_bunny(page)
    expect(page.get_by_text("© 2008 Blender Foundation")).to_be_visible()
    drop_file(page, EXAMPLES / "spinner.gif")
    expect(page.get_by_text("© 2008 Blender Foundation")).to_be_hidden()  # this one is of somebody else


def test_back_leads_to_the_empty_page_and_forward_to_the_answer(visit: Visit, server: str) -> None:
    page = visit(server)
    ask_for(page, f"{HOST}/meadow.gif")
    expect_the_bunny(page)
    drop_file(page, EXAMPLES / "spinner.gif")
    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()

    page.go_back()

    expect(page.get_by_text("Drop a GIF here")).to_be_visible()
    expect(page).to_have_title("Which show is this GIF from?")
    assert page.url == server
    page.go_forward()
    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()


def test_back_aborts_and_forward_repeats(visit: Visit, server: str, addresses: LocalAddresses) -> None:
    page = visit(server)
    ask_for(page, f"{HOST}/slow.gif")
    expect(page.get_by_role("progressbar")).to_be_visible()

    page.go_back()
    expect(page.get_by_text("Drop a GIF here")).to_be_visible()
    addresses.released.set()
    page.go_forward()

    expect_the_bunny(page)
    assert page.url == f"{server}{SLOW_LINK}"


def test_the_link_of_an_address_is_copied(visit: Visit, server: str) -> None:
    page = visit(server, permissions=["clipboard-read", "clipboard-write"])
    ask_for(page, f"{HOST}/meadow.gif")

    page.get_by_role("button", name="Copy link").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == f"{server}{MEADOW_LINK}"
    drop_file(page, EXAMPLES / "spinner.gif")
    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()
    expect(page.locator("#copy")).to_be_hidden()  # a file has no address


def test_several_files_are_answered_in_turn_and_each_can_be_read(visit: Visit, server: str) -> None:
    page = visit(server)

    page.get_by_label("Choose a GIF").set_input_files(
        [MEADOW, EXAMPLES / "README.md", EXAMPLES / "spinner.gif"]
    )

    expect(page.get_by_role("heading", name="3 of 3 GIFs done")).to_be_visible()
    rows = page.get_by_role("region", name="3 of 3 GIFs done").get_by_role("listitem")
    bunny = re.compile(r"^meadow\.gif Big Buck Bunny, \d\d%$")
    expect(rows).to_have_text([bunny, "README.md That is not a GIF.", "spinner.gif Unknown"])
    expect_the_bunny(page)
    rows.nth(2).get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()
    expect(page.get_by_role("img", name="Preview of spinner.gif")).to_be_visible()
    expect(rows.nth(2).get_by_role("button")).to_be_focused()  # so that the next can be chosen
    rows.nth(1).get_by_role("button").click()
    expect(page.get_by_role("heading", name="That is not a GIF.")).to_be_visible()
    rows.nth(0).get_by_role("button").click()
    expect_the_bunny(page)


def test_files_join_a_list_that_can_be_stopped(
    visit: Visit, pipeline: Pipeline, addresses: LocalAddresses
) -> None:
    held = threading.Event()

    def decode(gif: bytes) -> Clip:
        assert held.wait(60)
        return pipeline.decode(gif)

    with serving(create_app(dataclasses.replace(pipeline, decode=decode), addresses)) as server:
        page = visit(server)
        page.get_by_label("Choose a GIF").set_input_files([MEADOW, EXAMPLES / "brook.gif"])
        expect(page.get_by_role("heading", name="0 of 2 GIFs done")).to_be_visible()

        drop_file(page, EXAMPLES / "spinner.gif")

        rows = page.locator("#items").get_by_role("listitem")
        expect(rows).to_have_text(["meadow.gif Looking…", "brook.gif Waiting", "spinner.gif Waiting"])
        expect(page.get_by_role("heading", name="Waiting for its turn…")).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        held.set()
        expect(page.get_by_text("Drop a GIF here")).to_be_visible()
        expect(page.locator("#queue")).to_be_hidden()


def test_list_retries_a_full_server(visit: Visit, pipeline: Pipeline, addresses: LocalAddresses) -> None:
    settings = RestSettings(in_flight=1)
    with serving(create_app(pipeline, addresses, settings=settings)) as server:
        first = visit(f"{server}{SLOW_LINK}")
        expect(first.get_by_role("progressbar")).to_be_visible()
        second = visit(server)

        second.get_by_label("Choose a GIF").set_input_files([MEADOW, EXAMPLES / "brook.gif"])
        expect(second.get_by_role("heading", name="0 of 2 GIFs done")).to_be_visible()
        addresses.released.set()

        expect(second.get_by_role("heading", name="2 of 2 GIFs done")).to_be_visible()
        expect_the_bunny(second)


def test_a_second_gif_replaces_the_first(visit: Visit, server: str) -> None:
    page = visit(f"{server}{MEADOW_LINK}")
    expect_the_bunny(page)

    drop_file(page, EXAMPLES / "spinner.gif")

    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_have_count(0)
    expect(page.get_by_role("img", name="Preview of spinner.gif")).to_be_visible()
    expect(page.get_by_role("list", name="The ten frames").get_by_role("listitem")).to_have_count(10)
    assert page.url == server


def test_later_gif_replaces_an_earlier_one(visit: Visit, server: str, addresses: LocalAddresses) -> None:
    page = visit(f"{server}{SLOW_LINK}")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()

    drop_file(page, EXAMPLES / "spinner.gif")
    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()
    addresses.released.set()
    page.wait_for_timeout(300)  # the first one's answer would come now

    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()
