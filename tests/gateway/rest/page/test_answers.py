"""What the page says of an answer, and while it waits for one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from gateway.pipeline import Pipeline, local
from gateway.rest.app import create_app
from tests.support.page.gestures import drop_file
from tests.support.page.server import EXAMPLES, HOST, LocalAddresses, serving

Visit = Callable[..., Page]
SLOW = quote(f"{HOST}/slow.gif", safe="")


def test_shows_and_votes_are_those_of_the_pipeline(visit: Visit, server: str, pipeline: Pipeline) -> None:
    prediction = pipeline.identify((EXAMPLES / "spinner.gif").read_bytes())
    page = visit(server)

    drop_file(page, EXAMPLES / "spinner.gif")

    ranked = page.get_by_role("list", name="Nearest guesses").get_by_role("listitem")
    for index, show in enumerate(prediction.shows):
        expect(ranked.nth(index)).to_have_text(f"{show.show}{show.probability:.0%}")
    frames = page.get_by_role("list", name="The ten frames").get_by_role("listitem")
    for index, vote in enumerate(prediction.frames):
        words = f"{vote.timestamp_ms / 1000:.2f} s {vote.probability:.0%} {vote.show}"
        expect(frames.nth(index)).to_have_text(words)


def test_the_frames_are_pictures_as_the_model_saw_them(visit: Visit, server: str) -> None:
    page = visit(server)

    drop_file(page, EXAMPLES / "meadow.gif")

    frames = page.get_by_role("list", name="The ten frames").locator("img")
    expect(frames).to_have_count(10)
    page.wait_for_function("[...document.querySelectorAll('#frames img')].every((image) => image.complete)")
    sizes = frames.evaluate_all("images => images.map((image) => [image.naturalWidth, image.naturalHeight])")
    assert sizes == [[224, 224]] * 10
    assert len(set(frames.evaluate_all("images => images.map((image) => image.src)"))) == 10


def test_what_it_knows_is_said_with_how_sure_it_is(visit: Visit, server: str) -> None:
    page = visit(server)

    drop_file(page, EXAMPLES / "meadow.gif")

    expect(page.get_by_role("heading", name="This is probably Big Buck Bunny.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^9\d% sure: all 10 frames say so\.$"))).to_be_visible()
    expect(page).to_have_title("Big Buck Bunny · Which show is this GIF from?")


@pytest.fixture
def unsure_server(familiar_path: Path, addresses: LocalAddresses) -> Iterator[str]:
    """The address of a gateway whose model has thresholds of a verdict."""
    with serving(create_app(local(familiar_path), addresses)) as address:
        yield address


@pytest.mark.parametrize(
    ("colour", "words"),
    [
        ("red", ("This is Red Show.", "Over 99% sure: the one frame says so.")),
        ("#ffdc00", ("Red Show or Green Show", "The GIF fits each of them. It fits Red Show best, 7")),
        (
            "#c8be3c",
            ("Live action, but no show that I know", "It looks most like Red Show, then Green Show,"),
        ),
        ("#be3cc8", ("I do not know this one", "It looks most like Blue Show, then Red")),
    ],
    ids=["show", "one of two", "kind", "unknown"],
)
def test_the_headline_says_no_more_than_the_verdict(
    visit: Visit, unsure_server: str, save_gif: Callable[..., Path], colour: str, words: tuple[str, str]
) -> None:
    title, text = words
    page = visit(unsure_server)

    drop_file(page, save_gif("still.gif", colour))

    expect(page.get_by_role("heading", level=2)).to_have_text(title)
    expect(page.get_by_role("status")).to_contain_text(f"{title.removesuffix('.')}. {text}")
    bar = page.locator("#shows .bar span").first.evaluate("bar => getComputedStyle(bar).backgroundImage")
    assert (bar == "none") == (title == "This is Red Show.")  # else it is hatched


def test_a_still_image_is_one_frame(visit: Visit, unsure_server: str, save_gif: Callable[..., Path]) -> None:
    page = visit(unsure_server)

    drop_file(page, save_gif("red.gif", "red"))

    frames = page.get_by_role("list", name="The one frame the model looked at").get_by_role("listitem")
    expect(frames).to_have_count(1)
    expect(frames.locator("img")).to_have_js_property("naturalWidth", 224)


def test_frames_that_are_equal_are_shown_once(
    visit: Visit, unsure_server: str, save_gif: Callable[..., Path]
) -> None:
    page = visit(unsure_server)

    drop_file(page, save_gif("three.gif", "red", "#ffdc00", "lime"))

    frames = page.get_by_role("list", name="The three frames the model looked at").get_by_role("listitem")
    expect(frames).to_have_count(3)
    expect(page.get_by_text("Equal frames are shown once.")).to_be_visible()


def test_what_it_does_not_know_is_said_plainly(visit: Visit, server: str) -> None:
    page = visit(server)

    drop_file(page, EXAMPLES / "spinner.gif")

    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^It looks most like [A-Z][^,]+, then [A-Z]"))).to_be_visible()
    expect(page).to_have_title("Unknown · Which show is this GIF from?")


def test_the_answer_is_read_out_and_has_the_focus(visit: Visit, server: str) -> None:
    page = visit(server)

    drop_file(page, EXAMPLES / "meadow.gif")

    expect(page.get_by_role("status")).to_have_text(
        re.compile(r"^This is probably Big Buck Bunny\. 9\d% sure: all 10 frames say so\.$")
    )
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_focused()


def test_sending_shows_how_much_has_been_sent(visit: Visit, server: str) -> None:
    page = visit(server)
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": 150_000,
        },  # bytes a second
    )

    page.get_by_label("Choose a GIF").set_input_files(EXAMPLES / "meadow.gif")

    meter = page.get_by_role("progressbar", name="Sending meadow.gif…")
    expect(meter).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d?$"))
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()


def test_waiting_can_be_ended(visit: Visit, server: str, addresses: LocalAddresses) -> None:
    page = visit(f"{server}?url={SLOW}")
    expect(page.get_by_role("progressbar", name="Fetching and looking…")).to_be_visible()

    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_text("Drop a GIF here")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Cancelled")
    expect(page.get_by_label("Choose a GIF")).to_be_focused()
    assert page.url == server
    drop_file(page, EXAMPLES / "meadow.gif")
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()


def test_a_preview_can_be_stopped_and_moved_again(visit: Visit, server: str) -> None:
    page = visit(server)
    drop_file(page, EXAMPLES / "meadow.gif")

    page.get_by_role("button", name="Pause").click()

    expect(page.locator("canvas")).to_be_visible()
    assert page.locator("canvas").evaluate("canvas => [canvas.width, canvas.height]") == [256, 144]
    page.get_by_role("button", name="Play").click()
    expect(page.locator("canvas")).to_be_hidden()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_nothing_moves_for_those_who_asked_for_calm(visit: Visit, server: str) -> None:
    page = visit(server, reduced_motion="reduce")

    drop_file(page, EXAMPLES / "meadow.gif")

    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


def test_it_tells_which_shows_it_knows(visit: Visit, server: str, pipeline: Pipeline) -> None:
    page = visit(server)

    titles = page.locator("#titles").get_by_role("listitem")
    expect(titles).to_have_count(22)
    expect(titles.filter(has_text="Big Buck Bunny")).to_be_visible()
    expect(page.get_by_text(re.compile("^I know 22 shows"))).to_be_visible()


def test_it_says_what_is_kept_and_keeps_nothing_itself(visit: Visit, server: str) -> None:
    page = visit(server)

    drop_file(page, EXAMPLES / "meadow.gif")

    expect(page.get_by_text("Your GIF is not stored.")).to_be_visible()
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
