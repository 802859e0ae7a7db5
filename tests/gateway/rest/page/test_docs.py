"""The page of the API says what the OpenAPI document says, and its examples run as they are written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from gateway.library import ServedLibrary
from gateway.pipeline import Pipeline
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from services.inference import Classifier, default_model_path
from services.preprocess import decode_gif
from tests.support.page.server import EXAMPLES, serving

KEY = "KEY"  # as the examples call it
OPERATIONS = {
    "POST /v1/identify": 3,
    "GET /v1/identify": 1,
    "GET /v1/model": 1,
    "GET /v1/shows": 1,
    "GET /v1/library": 1,
    "POST /v1/library": 3,
    "DELETE /v1/library": 1,
    "GET /v1/library/thumbnail": 1,
    "GET /v1/feedback": 1,
    "POST /v1/feedback": 1,
    "GET /health/live": 1,
    "GET /health/ready": 1,
}  # and how many examples each has in a language
Visit = Callable[..., Page]


@pytest.fixture(params=[(), (KEY,)], ids=["open", "keyed"])
def keys(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The keys of the gateway, one of which must be sent."""
    found: tuple[str, ...] = request.param
    return found


@pytest.fixture
def put_meadow(tmp_path: Path) -> Callable[[], ServedLibrary]:
    """A function that puts the meadow into the library of the gateway, and returns the library."""
    writable = ServedLibrary(
        tmp_path / "my.library", teacher=Classifier(default_model_path()), keep_thumbnails=True
    )
    clip = decode_gif((EXAMPLES / "meadow.gif").read_bytes())

    def put() -> ServedLibrary:
        writable.teach(clip, show="Big Buck Bunny", name="meadow.gif", sha256="0" * 64)
        return writable

    return put


@pytest.fixture
def server(
    pipeline: Pipeline, keys: tuple[str, ...], put_meadow: Callable[[], ServedLibrary], tmp_path: Path
) -> Iterator[str]:
    """The address of a gateway that finds the meadow at every address; with keys, it can be taught."""

    async def fetch(url: str) -> bytes:
        return (EXAMPLES / "meadow.gif").read_bytes()

    library = put_meadow() if keys else ServedLibrary(tmp_path / "my.library")
    settings = RestSettings(api_keys=keys)
    with serving(create_app(pipeline, fetch, settings=settings, library=library)) as address:
        yield address


def section(page: Page, name: str) -> Locator:
    return page.locator("section").filter(has=page.get_by_role("heading", name=name, exact=True))


def texts(page: Page, language: str) -> list[str]:
    """The examples in a language, after somebody chose it."""
    page.get_by_role("radio", name=language).check()
    shown = page.locator("pre[data-language]:visible")
    expect(shown).to_have_count(sum(OPERATIONS.values()))
    return shown.all_text_contents()


def test_every_operation_is_described(visit: Visit, server: str) -> None:
    page = visit(server)

    page.get_by_role("link", name="the same as an API").click()

    expect(page.get_by_role("heading", level=2)).to_have_text(list(OPERATIONS))
    for name, count in OPERATIONS.items():
        expect(section(page, name).locator("pre[data-language=curl]")).to_have_count(count)
    asking = section(page, "POST /v1/identify")
    expect(asking.get_by_role("row", name="top_k How many shows to name. 1 to 1000. 5")).to_be_visible()
    expect(asking.get_by_text('"level": "show"')).to_be_visible()
    asking.get_by_text("Errors", exact=True).click()
    for reason in ("UNAUTHORIZED", "NOT_FETCHABLE", "NOT_A_GIF", "OVERLOADED"):
        expect(asking.get_by_role("row").filter(has_text=reason)).to_be_visible()


def test_curl_and_python_run_as_written(
    visit: Visit,
    server: str,
    keys: tuple[str, ...],
    put_meadow: Callable[[], ServedLibrary],
    folder: Path,
) -> None:
    page = visit(f"{server}docs")
    picture = folder / "thumbnail.jpg"

    for language, begins in (("curl", "{"), ("Python", "{'")):
        for text in runnable(texts(page, language), keys):
            put_meadow()  # which an example may have removed
            command = ("sh", "-c", text.replace("curl", "curl -sSf", 1))
            said = run(folder, *(command if language == "curl" else (sys.executable, "-c", text)))
            if "thumbnail" in text:
                assert picture.read_bytes().startswith(b"\xff\xd8")
                picture.unlink()
            else:
                assert said.startswith(begins)


def test_javascript_runs_as_it_is_written(
    visit: Visit,
    server: str,
    keys: tuple[str, ...],
    put_meadow: Callable[[], ServedLibrary],
    folder: Path,
) -> None:
    page = visit(f"{server}docs")
    written = texts(page, "JavaScript")
    page.evaluate("document.body.append(Object.assign(document.createElement('input'), {type: 'file'}))")
    page.set_input_files("input[type=file]", folder / "some.gif")

    for text in runnable(written, keys):
        put_meadow()
        with page.expect_console_message() as logged:
            page.evaluate(f"async () => {{ {text} }}")
        assert logged.value.type == "log", text


def runnable(written: list[str], keys: tuple[str, ...]) -> list[str]:
    """The examples without those that change the library, where no key allows that."""
    return [text for text in written if keys or "/v1/library?" not in text]


def run(folder: Path, *command: str) -> str:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), command
    return ran.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the examples find their GIF."""
    (tmp_path / "some.gif").write_bytes((EXAMPLES / "meadow.gif").read_bytes())
    return tmp_path


def test_missing_document_is_explained(visit: Visit, server: str) -> None:
    page = visit(server)
    page.route("**/openapi.json", lambda route: route.fulfill(status=503))

    page.get_by_role("link", name="the same as an API").click()

    expect(page.get_by_text("The server does not answer.")).to_be_visible()
