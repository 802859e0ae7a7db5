"""The page with a library: evidence under an answer, thumbnails, and GIFs that a visitor teaches."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image, ImageOps, ImageSequence
from playwright.sync_api import Page, Route, expect

from gateway.library import ServedLibrary
from gateway.pipeline import local
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from services.inference import Classifier, default_model_path
from services.preprocess import decode_gif
from tests.support.page.axe import violations
from tests.support.page.gestures import drop_file
from tests.support.page.server import EXAMPLES, HOST, LocalAddresses, serving

KEY = "some-key"
SPINNER, MEADOW, BROOK = (EXAMPLES / name for name in ("spinner.gif", "meadow.gif", "brook.gif"))
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def teacher() -> Classifier:
    return Classifier(default_model_path())


@pytest.fixture
def library(teacher: Classifier, tmp_path: Path) -> ServedLibrary:
    """A library that keeps thumbnails."""
    return ServedLibrary(tmp_path / "my.library", teacher=teacher, keep_thumbnails=True)


def put(library: ServedLibrary, path: Path, show: str, name: str = "") -> None:
    """Put a file into a library, in no browser."""
    library.teach(decode_gif(path.read_bytes()), show=show, name=name or path.name, sha256="0" * 64)


@contextlib.contextmanager
def serving_library(
    path: Path, library: ServedLibrary | None = None, *, keys: tuple[str, ...] = (), model: Path | None = None
) -> Iterator[str]:
    """Serve a gateway that searches a library; yields its address."""
    pipeline, served = local(model, library=path), library or ServedLibrary(path)
    settings = RestSettings(api_keys=keys)
    with serving(create_app(pipeline, LocalAddresses(), settings=settings, library=served)) as address:
        yield address


@pytest.fixture
def taught_server(library: ServedLibrary, tmp_path: Path) -> Iterator[str]:
    """The address of a gateway that can be taught with a key."""
    with serving_library(tmp_path / "my.library", library, keys=(KEY,)) as address:
        yield address


def ask(page: Page, path: Path) -> None:
    """Drop a file, and give the key when it is asked for."""
    drop_file(page, path)
    page.get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_be_visible()


def teach(page: Page, title: str) -> None:
    page.get_by_label("Title of the show").fill(title)
    page.get_by_role("button", name="Teach", exact=True).click()


def test_a_gif_that_was_taught_is_named_with_its_evidence(
    visit: Visit, taught_server: str, library: ServedLibrary
) -> None:
    page = visit(taught_server)
    ask(page, SPINNER)
    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()

    teach(page, "Spinner Show")

    expect(page.get_by_role("heading", name="This is Spinner Show.")).to_be_focused()
    expect(page.get_by_text("Taught as Spinner Show. The library has 1 GIF of it; five are")).to_be_visible()
    expect(page.get_by_text("and 1 more that I was taught")).to_be_visible()
    assert library.shows() == {"Spinner Show": 1}
    other = visit(taught_server)
    ask(other, SPINNER)
    expect(other.get_by_role("heading", name="This is Spinner Show.")).to_be_visible()
    expect(other.locator("#verdict")).to_contain_text("I was taught this footage.")
    evidence = other.get_by_role("list", name="In the library").get_by_role("listitem")
    expect(evidence).to_have_text("Same footage as spinner.gif (Spinner Show), 0.1 s to 2.9 s")
    expect(evidence.locator("img")).to_be_visible()
    assert evidence.locator("img").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [160, 90]
    expect(other.locator("#frames .title").first).to_have_text("not judged")


def test_teaching_is_undone(visit: Visit, taught_server: str, library: ServedLibrary) -> None:
    page = visit(taught_server)
    ask(page, SPINNER)
    teach(page, "Spinner Show")

    page.get_by_role("button", name="Undo").click()

    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()
    expect(page.locator("#evidence")).to_be_hidden()
    expect(page.get_by_label("Title of the show")).to_be_visible()
    assert library.shows() == {}


def test_undo_after_somebody_else_removed_it(
    visit: Visit, taught_server: str, library: ServedLibrary
) -> None:
    page = visit(taught_server)
    ask(page, SPINNER)
    teach(page, "Spinner Show")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    library.forget("spinner.gif")

    page.get_by_role("button", name="Undo").click()

    expect(page.get_by_role("heading", name="I do not know this one")).to_be_visible()


def test_a_show_of_the_model_is_taught(visit: Visit, taught_server: str) -> None:
    page = visit(taught_server)
    ask(page, MEADOW)
    expect(page.get_by_label("Title of the show")).to_be_hidden()
    page.get_by_text("Teach it").click()

    assert (
        page.locator("#suggestions option").evaluate_all("all => all.map((one) => one.value)").count("Naruto")
    )
    teach(page, "Big Buck Bunny")

    expect(page.get_by_text("Taught as Big Buck Bunny. I knew this show before")).to_be_visible()
    expect(page.locator("#verdict")).to_contain_text("all 10 frames say so.")


def test_a_gif_at_an_address_is_taught(visit: Visit, taught_server: str, library: ServedLibrary) -> None:
    page = visit(f"{taught_server}?url={quote(f'{HOST}/spinner.gif', safe='')}")
    page.get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")

    teach(page, "Spinner Show")

    evidence = page.get_by_role("list", name="In the library")
    expect(evidence).to_contain_text(f"Same footage as {HOST}/spinner.gif (Spinner Show)")
    assert library.shows() == {"Spinner Show": 1}


def test_a_refusal_is_explained(
    visit: Visit, taught_server: str, library: ServedLibrary, tmp_path: Path
) -> None:
    long = tmp_path / f"{'x' * 247}.gif"
    long.write_bytes(SPINNER.read_bytes())
    page = visit(taught_server)
    ask(page, long)

    teach(page, "Spinner Show")

    expect(page.locator("#teach-problem")).to_contain_text("Invalid name: it must be 1 to 250 characters")
    expect(page.get_by_role("status")).to_contain_text("Invalid name")
    expect(page.get_by_role("button", name="Teach", exact=True)).to_be_enabled()
    assert library.shows() == {}


def test_a_library_that_is_only_read_is_not_taught(
    visit: Visit, library: ServedLibrary, tmp_path: Path
) -> None:
    with Image.open(BROOK) as gif:
        first, *others = [ImageOps.mirror(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
        first.save(tmp_path / "flipped.gif", save_all=True, append_images=others, duration=100)
    put(library, tmp_path / "flipped.gif", "Big Buck Bunny")

    with serving_library(tmp_path / "my.library") as server:
        page = visit(server)
        drop_file(page, MEADOW)

        evidence = page.get_by_role("list", name="In the library").get_by_role("listitem")
        text = r"Same footage as flipped\.gif \(Big Buck Bunny\), 0\.\d s to 2\.\d s, mirrored"
        expect(evidence).to_have_text(re.compile(f"^{text}$"))
        expect(evidence.locator("img")).to_be_visible()
        expect(page.locator("#teach")).to_be_hidden()


def noise(path: Path, seed: int) -> Path:
    """A GIF of red noise: each seed is another picture of the same mean colour."""
    random = np.random.default_rng(seed)
    pictures = random.integers(0, 120, (4, 8, 8, 3), dtype=np.uint8)
    pictures[..., 0] = 255
    first, *others = [Image.fromarray(each).resize((64, 64), Image.Resampling.NEAREST) for each in pictures]
    first.save(path, save_all=True, append_images=others, duration=500)
    return path


def test_what_looks_alike_is_shown_beside_the_same_footage_without_thumbnails(
    visit: Visit, model_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "colours.library"
    library = ServedLibrary(path, teacher=Classifier(model_path))
    for seed in range(4):
        put(library, noise(tmp_path / "noise.gif", seed), "Red Show", f"{seed}.gif")

    with serving_library(path, model=model_path) as server:
        page = visit(server)
        drop_file(page, noise(tmp_path / "noise.gif", 2))

        evidence = page.get_by_role("list", name="In the library").get_by_role("listitem")
        expect(evidence).to_have_count(3)
        assert [re.sub(r"\d", "N", text) for text in evidence.all_inner_texts()] == [
            "Same footage as N.gif (Red Show), N.N s to N.N s",
            "Looks like N.gif (Red Show)",
            "Looks like N.gif (Red Show)",
        ]
        expect(evidence.locator("img")).to_have_count(0)


def test_names_are_shown_as_text(visit: Visit, library: ServedLibrary, tmp_path: Path) -> None:
    name, show = "<img src=x onerror=alert(1)>.gif", "<b>Bold</b> & \N{RIGHT-TO-LEFT OVERRIDE}wohS"
    put(library, SPINNER, show, name)

    with serving_library(tmp_path / "my.library") as server:
        page = visit(server)
        page.get_by_label("Choose a GIF").set_input_files([SPINNER, MEADOW])

        expect(page.locator("#known-clips")).to_contain_text(f"Same footage as {name} ({show})")
        expect(page.locator("#items")).to_contain_text(f"same footage as {name}")
        expect(page.locator("#answer b, #items b, #items img")).to_have_count(0)
        expect(page.locator("#known-clips img")).to_have_count(1)


def test_several_gifs_name_the_footage_in_a_line(
    visit: Visit, library: ServedLibrary, tmp_path: Path
) -> None:
    put(library, BROOK, "Big Buck Bunny")

    with serving_library(tmp_path / "my.library") as server:
        page = visit(server)
        page.get_by_label("Choose a GIF").set_input_files([SPINNER, MEADOW])

        rows = page.locator("#items").get_by_role("button")
        expect(rows.nth(0)).to_have_text("spinner.gif Unknown")
        expect(rows.nth(1)).to_have_text(
            re.compile(r"^meadow\.gif Big Buck Bunny, .*% · same footage as brook\.gif$")
        )
        expect(page.locator("#evidence")).to_be_hidden()
        rows.nth(1).click()
        expect(page.locator("#evidence")).to_be_visible()


def test_thumbnails_move_nothing(visit: Visit, library: ServedLibrary, tmp_path: Path) -> None:
    put(library, BROOK, "Big Buck Bunny")
    held: list[Route] = []

    with serving_library(tmp_path / "my.library") as server:
        page = visit(server, reduced_motion="reduce")
        page.route(
            "**/thumbnail?*",
            lambda route: held.append(route),  # noqa: PLW0108 - Playwright takes no function of C
        )
        drop_file(page, MEADOW)
        expect(page.locator("#evidence")).to_be_visible()
        before = page.locator("#ranking").bounding_box()
        expect(page.locator("#known-clips img")).to_be_hidden()
        for route in held:
            route.continue_()
        expect(page.locator("#known-clips img")).to_be_visible()

        assert len(held) == 1
        assert page.locator("#ranking").bounding_box() == before


def test_without_a_library_there_is_nothing_of_it(visit: Visit, server: str) -> None:
    asked: list[str] = []
    page = visit(server)
    page.on("request", lambda request: asked.append(request.url))

    drop_file(page, MEADOW)

    expect(page.get_by_role("heading", name="This is Big Buck Bunny.")).to_be_visible()
    for part in ("#evidence", "#teach", "#taught", "#teach-problem"):
        expect(page.locator(part)).to_be_hidden()
    assert [url for url in asked if "library" in url] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(visit: Visit, taught_server: str, scheme: str, width: int) -> None:
    page = visit(
        taught_server,
        color_scheme=scheme,
        viewport={"width": width, "height": 860},
        reduced_motion="reduce",
    )
    ask(page, SPINNER)
    expect(page.get_by_label("Title of the show")).to_be_visible()
    assert violations(page) == []

    teach(page, "A show with a title of many words " * 3)

    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    expect(page.locator("#known-clips img")).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
