"""What the page shows for an answer, and while it waits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from gateway.pipeline import Pipeline, local
from gateway.rest.app import create_app
from tests.support.page.gestures import drop_file
from tests.support.page.server import EXAMPLES, HOST, LocalAddresses, serving

Visit = Callable[..., Page]
SaveGif = Callable[..., Path]
SLOW = quote(f"{HOST}/slow.gif", safe="")


def percent(probability: float) -> str:
    if probability < 0.005:
        return "under 1%"
    return "over 99%" if 0.995 <= probability < 1 else f"{probability:.0%}"


def test_page_shows_the_prediction(visit: Visit, server: str, pipeline: Pipeline) -> None:
    prediction = pipeline.identify((EXAMPLES / "meadow.gif").read_bytes())
    page = visit(server)

    drop_file(page, EXAMPLES / "meadow.gif")

    ranked = page.get_by_role("list", name="How probable each show is").get_by_role("listitem")
    for index, show in enumerate(prediction.shows):
        share = percent(show.probability)
        expect(ranked.nth(index)).to_have_text(f"{show.show}{share}")
    frames = page.get_by_role("list", name="The ten frames").get_by_role("listitem")
    for index, vote in enumerate(prediction.votes):
        words = f"{vote.offset_ms / 1000:.2f} s {percent(vote.probability)} {vote.show}"
        expect(frames.nth(index)).to_have_text(words)


def test_frames_are_pictures(visit: Visit, server: str) -> None:
    page = visit(server)

    drop_file(page, EXAMPLES / "meadow.gif")

    frames = page.get_by_role("list", name="The ten frames").locator("img")
    expect(frames).to_have_count(10)
    page.wait_for_function("[...document.querySelectorAll('#frames img')].every((image) => image.complete)")
    sizes = frames.evaluate_all("images => images.map((image) => [image.naturalWidth, image.naturalHeight])")
    assert sizes == [[299, 168]] * 10  # as wide as the GIF, 16:9
    boxes = frames.evaluate_all("images => images.map((image) => image.width / image.height)")
    assert boxes == [pytest.approx(16 / 9, abs=0.05)] * 10
    assert len(set(frames.evaluate_all("images => images.map((image) => image.src)"))) == 10


def test_letterboxed_frames(visit: Visit, server: str, letterboxed: bytes, tmp_path: Path) -> None:
    (tmp_path / "letterboxed.gif").write_bytes(letterboxed)
    page = visit(server)

    drop_file(page, tmp_path / "letterboxed.gif")

    frames = page.locator("#frames img")
    expect(frames).to_have_count(2)
    page.wait_for_function("[...document.querySelectorAll('#frames img')].every((image) => image.complete)")
    boxes = frames.evaluate_all("images => images.map((image) => image.width / image.height)")
    assert boxes == [pytest.approx(16 / 9, abs=0.05)] * 2  # of the canvas it would be 4:3


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
            ("Live action, but no show that I know", "I can tell the kind of picture, but not the show."),
        ),
        ("#be3cc8", ("I do not know this one", "It is not enough like any show that I know.")),
    ],
    ids=["show", "one of two", "kind", "unknown"],
)
def test_headline_matches_the_verdict(
    visit: Visit, unsure_server: str, save_gif: SaveGif, colour: str, words: tuple[str, str]
) -> None:
    title, text = words
    page = visit(unsure_server)

    drop_file(page, save_gif("still.gif", colour))

    expect(page.get_by_role("heading", level=2)).to_have_text(title)
    expect(page.get_by_role("status")).to_contain_text(f"{title.removesuffix('.')}. {text}")
    sure = title == "This is Red Show."
    assert hatched(page.locator("#shows .bar span")) == [not sure] * 3
    assert hatched(page.locator("#frames .vote")) == [not sure]


def hatched(drawn: Locator) -> list[bool]:
    return drawn.evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundImage !== 'none')")


def test_unsure_frame_is_hatched(visit: Visit, unsure_server: str, save_gif: SaveGif) -> None:
    page = visit(unsure_server)

    drop_file(page, save_gif("mixed.gif", "red", "#f00000", "#e00000", "#ff1010", "#ff2020", "#ffff08"))

    expect(page.get_by_role("heading", name="Red Show")).to_be_visible()
    expect(page.locator("#verdict")).to_contain_text("5 of 6 frames say so on their own.")
    assert hatched(page.locator("#frames .vote")) == [False] * 5 + [True]
    expect(page.get_by_text("Hatched means not sure.")).to_be_visible()


def test_unknown_has_no_figures(visit: Visit, server: str, tmp_path: Path) -> None:
    Image.new("RGB", (64, 36), "black").save(tmp_path / "black.gif")
    page = visit(server)

    drop_file(page, tmp_path / "black.gif")

    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()
    expect(page).to_have_title("Unknown · Which show is this GIF from?")
    expect(page.get_by_text(re.compile("[0-9]%")).filter(visible=True)).to_have_count(0)
    expect(page.locator("#frames .title").first).to_have_text("not known")
    expect(page.locator("#shows")).to_be_hidden()
    page.get_by_text("Nearest guesses").click()
    expect(page.locator("#shows")).to_be_visible()
    expect(page.locator("#shows-note")).to_contain_text("they do not say that it is from one of them")


def test_large_frames_and_keyboard(visit: Visit, server: str) -> None:
    page = visit(server)
    drop_file(page, EXAMPLES / "meadow.gif")
    second = page.get_by_role("button", name=re.compile("^Show the frame at .* large$")).nth(1)

    second.focus()
    page.keyboard.press("Enter")

    large = page.get_by_role("dialog")
    source = second.locator("img").get_attribute("src")
    assert source is not None
    expect(large.get_by_role("img")).to_have_count(0)  # its words say what it shows
    expect(large.locator("img")).to_have_attribute("src", source)
    expect(large.get_by_text(re.compile(r"^0\.45 s · Big Buck Bunny · (?:over )?9\d%$"))).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(large.get_by_text(re.compile(r"^2\.\d+ s"))).to_be_visible()
    large.get_by_role("button", name="Later").click()
    expect(large.get_by_text(re.compile(r"^0\.15 s"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()
    expect(second.page.locator("#frames button").first).to_be_focused()


def test_a_still_image_is_one_frame(visit: Visit, unsure_server: str, save_gif: SaveGif) -> None:
    page = visit(unsure_server)

    drop_file(page, save_gif("red.gif", "red"))

    frames = page.get_by_role("list", name="The one frame the model looked at").get_by_role("listitem")
    expect(frames).to_have_count(1)
    expect(frames.locator("img")).to_have_js_property("naturalWidth", 259)  # 4:3


def test_equal_frames_are_shown_once(visit: Visit, unsure_server: str, save_gif: SaveGif) -> None:
    page = visit(unsure_server)

    drop_file(page, save_gif("three.gif", "red", "#ffdc00", "lime"))

    frames = page.get_by_role("list", name="The three frames the model looked at").get_by_role("listitem")
    expect(frames).to_have_count(3)
    expect(page.get_by_text("Equal frames are shown once.")).to_be_visible()


def test_the_answer_is_read_out_and_has_the_focus(visit: Visit, server: str) -> None:
    page = visit(server)

    drop_file(page, EXAMPLES / "meadow.gif")

    expect(page.get_by_role("status")).to_have_text(
        re.compile(r"^This is Big Buck Bunny\. (?:over )?9\d% sure: all 10 frames say so\.$")
    )
    expect(page.get_by_role("heading", name="This is Big Buck Bunny.")).to_be_focused()
    expect(page.get_by_text(re.compile(r"^9\d% sure: all 10 frames say so\.$"))).to_be_visible()
    expect(page).to_have_title("Big Buck Bunny · Which show is this GIF from?")


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


def test_waiting_can_be_ended(visit: Visit, server: str) -> None:
    page = visit(f"{server}?url={SLOW}")
    expect(page.get_by_role("progressbar", name="Fetching and looking…")).to_be_visible()

    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_text("Drop a GIF here")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Cancelled")
    expect(page.get_by_label("Choose a GIF")).to_be_focused()
    assert page.url == server
    drop_file(page, EXAMPLES / "meadow.gif")
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()


def test_preview_can_be_paused(visit: Visit, server: str) -> None:
    page = visit(server)
    drop_file(page, EXAMPLES / "meadow.gif")

    page.get_by_role("button", name="Pause").click()

    expect(page.locator("canvas")).to_be_visible()
    assert page.locator("canvas").evaluate("canvas => [canvas.width, canvas.height]") == [256, 144]
    page.get_by_role("button", name="Play").click()
    expect(page.locator("canvas")).to_be_hidden()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_reduced_motion(visit: Visit, server: str) -> None:
    page = visit(server, reduced_motion="reduce")

    drop_file(page, EXAMPLES / "meadow.gif")

    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


def test_it_tells_which_shows_it_knows(visit: Visit, server: str) -> None:
    page = visit(server)

    titles = page.locator("#titles").get_by_role("listitem")
    expect(titles).to_have_count(22)
    expect(titles.filter(has_text="Big Buck Bunny")).to_be_visible()
    expect(page.get_by_text(re.compile("^I know 22 shows"))).to_be_visible()


def test_privacy(visit: Visit, server: str) -> None:
    page = visit(server)

    drop_file(page, EXAMPLES / "meadow.gif")

    expect(page.get_by_text("Your GIF is not stored.")).to_be_visible()
    expect(page.get_by_role("heading", name="Big Buck Bunny")).to_be_visible()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
