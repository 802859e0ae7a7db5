"""The page with a keyboard, a screen reader, a phone, or a dark screen."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.support.page.axe import violations
from tests.support.page.gestures import drag_over, drop_file
from tests.support.page.server import EXAMPLES, HOST

Visit = Callable[..., Page]
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 860}


def be_empty(page: Page) -> None:
    expect(page.locator("#invitation")).to_be_visible()
    expect(page.get_by_text("Brooklyn 99")).to_be_visible()


def hold_a_file(page: Page) -> None:
    drag_over(page, EXAMPLES / "meadow.gif")
    expect(page.get_by_text("Let go to ask about this GIF")).to_be_visible()


def wait(page: Page) -> None:
    page.goto(f"{page.url}?url={quote(f'{HOST}/slow.gif', safe='')}")
    expect(page.get_by_role("progressbar")).to_be_visible()


def know(page: Page) -> None:
    drop_file(page, EXAMPLES / "meadow.gif")
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()


def not_know(page: Page) -> None:
    drop_file(page, EXAMPLES / "spinner.gif")
    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()


def move(page: Page) -> None:
    know(page)
    page.get_by_role("button", name="Play").click()


def look_closely(page: Page) -> None:
    know(page)
    page.locator("#frames button").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def ask_about_several(page: Page) -> None:
    page.get_by_label("Choose a GIF").set_input_files([EXAMPLES / "spinner.gif", EXAMPLES / "README.md"])
    expect(page.get_by_role("heading", name="2 of 2 GIFs done")).to_be_visible()
    page.get_by_text("Nearest guesses").click()


def read_of_the_api(page: Page) -> None:
    page.get_by_role("link", name="the same as an API").click()
    expect(page.get_by_role("heading", name="GET /v1/shows")).to_be_visible()
    for errors in page.get_by_text("Errors", exact=True).all():
        errors.click()


def be_refused(page: Page) -> None:
    page.get_by_label("or give its address").fill("https://example.com/a.gif")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="This page may not ask example.com.")).to_be_visible()


STATES = [
    be_empty,
    hold_a_file,
    wait,
    know,
    not_know,
    move,
    look_closely,
    ask_about_several,
    read_of_the_api,
    be_refused,
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_nothing(visit: Visit, server: str, state: Callable[[Page], None], scheme: str) -> None:
    page = visit(server, color_scheme=scheme, viewport=DESKTOP, reduced_motion="reduce")

    state(page)

    assert violations(page) == []


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_phone_does_not_scroll_sideways(visit: Visit, server: str, state: Callable[[Page], None]) -> None:
    page = visit(server, viewport=PHONE, has_touch=True, reduced_motion="reduce")

    state(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert violations(page) == []


def test_the_keyboard_alone_gets_an_answer_for_a_file(visit: Visit, server: str) -> None:
    page = visit(server)

    with page.expect_file_chooser() as opened:  # asked for before the keys are pressed
        tab_to(page, page.get_by_label("Choose a GIF"))
        page.keyboard.press("Space")
    opened.value.set_files(EXAMPLES / "meadow.gif")

    answer = page.get_by_role("heading", name="Big Buck Bunny")
    expect(answer).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Show the frame at 0.15 s large"))
    tab_to(page, page.get_by_label("or give its address"))


def test_the_keyboard_alone_asks_cancels_and_asks_again(visit: Visit, server: str) -> None:
    page = visit(server)

    tab_to(page, page.get_by_label("or give its address"))
    page.keyboard.type(f"{HOST}/slow.gif")
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Choose a GIF")).to_be_focused()
    tab_to(page, page.get_by_label("or give its address"))
    page.keyboard.press("Control+A")
    page.keyboard.type(f"{HOST}/meadow.gif")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_focused()


def test_example_is_visible_without_scrolling(visit: Visit, server: str) -> None:
    for width, height in ((1280, 800), (800, 800), (390, 800)):
        page = visit(server, viewport={"width": width, "height": height})

        expect(page.get_by_role("button", name="Try an example")).to_be_in_viewport(ratio=1)


def test_touch_screen_says_choose(visit: Visit, server: str) -> None:
    page = visit(server, viewport=PHONE, has_touch=True)

    expect(page.locator("#invitation strong").filter(visible=True)).to_have_text("Choose a GIF")


def tab_to(page: Page, target: object) -> None:
    """Press Tab until the focus is there; a page of so few parts takes no twenty steps."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):  # type: ignore[attr-defined]
            return
    pytest.fail("the keyboard does not get there")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_is_outlined(visit: Visit, server: str, scheme: str) -> None:
    page = visit(server, color_scheme=scheme)
    stops = 0

    for _ in range(20):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            """() => {
                const element = document.activeElement;
                const shown = element.id === "file" ? element.nextElementSibling : element;
                return element === document.body ? null : getComputedStyle(shown).outlineStyle;
            }"""
        )
        if outline is None:
            break
        assert outline == "solid"
        stops += 1

    assert stops == 6  # name, file, address, ask, example, the API
