"""The question "Was this right?" on the page, and the way of a wrong answer into a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from gateway.pipeline import Pipeline
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from services.inference.answers import read_records
from services.inference.feedback import Feedback, read_feedback
from tests.support.page.axe import violations
from tests.support.page.gestures import drop_file
from tests.support.page.server import EXAMPLES, LocalAddresses, serving

KEY = "some-key"
MEADOW, BROOK = EXAMPLES / "meadow.gif", EXAMPLES / "brook.gif"
Visit = Callable[..., Page]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file of feedback."""
    return tmp_path / "feedback.log"


@pytest.fixture
def gifs(tmp_path: Path) -> Path:
    """The folder of GIFs that users give."""
    folder = tmp_path / "gifs"
    folder.mkdir()
    return folder


@pytest.fixture
def open_server(pipeline: Pipeline, log: Path, gifs: Path) -> Iterator[str]:
    """The address of a gateway that anybody may ask, and that keeps no GIF."""
    settings = RestSettings(feedback_file=log)
    with serving(create_app(pipeline, LocalAddresses(), settings=settings)) as address:
        yield address


@pytest.fixture
def keeping_server(pipeline: Pipeline, log: Path, gifs: Path) -> Iterator[str]:
    """The address of a gateway that keeps GIFs of those who have a key."""
    settings = RestSettings(feedback_file=log, feedback_gifs=gifs, api_keys=(KEY,))
    with serving(create_app(pipeline, LocalAddresses(), settings=settings)) as address:
        yield address


def said_in(log: Path) -> list[Feedback]:
    with log.open(encoding="utf-8") as file:
        found = [read_feedback(record) for _, record in read_records(file)]
    return [feedback for feedback in found if feedback is not None]


def test_a_right_answer_is_one_click(visit: Visit, open_server: str, log: Path) -> None:
    page = visit(open_server)
    with page.expect_response("**/v1/identify*") as answer:
        drop_file(page, MEADOW)

    page.get_by_role("button", name="Yes").click()

    expect(page.get_by_text("Thank you.", exact=True).first).to_be_visible()
    expect(page.get_by_text("Was this right?")).to_be_hidden()
    assert said_in(log) == [Feedback(answer.value.headers["x-request-id"], True)]


def test_a_wrong_answer_may_stay_without_a_show(visit: Visit, open_server: str, log: Path) -> None:
    page = visit(open_server)
    drop_file(page, MEADOW)

    page.get_by_role("button", name="No", exact=True).click()
    expect(page.get_by_label("Which show is it?")).to_be_focused()
    expect(page.get_by_label("Also send the GIF")).to_be_hidden()
    assert violations(page) == []
    page.keyboard.press("Enter")

    expect(page.get_by_text("Thank you.", exact=True).first).to_be_visible()
    [said] = said_in(log)
    assert (said.right, said.show) == (False, "")


def test_the_next_answer_is_asked_about_again(visit: Visit, open_server: str, log: Path) -> None:
    page = visit(open_server)
    drop_file(page, MEADOW)
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("Was this right?")).to_be_hidden()

    drop_file(page, BROOK)

    expect(page.get_by_text("Was this right?")).to_be_visible()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("Was this right?")).to_be_hidden()
    assert len({said.answer_id for said in said_in(log)}) == 2


def test_a_server_without_feedback_does_not_ask(visit: Visit, pipeline: Pipeline) -> None:
    settings = RestSettings(feedback=False)
    with serving(create_app(pipeline, LocalAddresses(), settings=settings)) as address:
        page = visit(address)
        drop_file(page, MEADOW)

        expect(page.locator("#answer")).to_be_visible()
        expect(page.get_by_text("Was this right?")).to_be_hidden()


def test_too_much_feedback_is_said(visit: Visit, pipeline: Pipeline) -> None:
    settings = RestSettings(feedback_per_minute=1)
    with serving(create_app(pipeline, LocalAddresses(), settings=settings)) as address:
        page = visit(address)
        for gif in (MEADOW, BROOK):
            drop_file(page, gif)
            expect(page.get_by_text("Was this right?")).to_be_visible()
            page.get_by_role("button", name="Yes").click()
            expect(page.locator("#feedback-text")).not_to_be_empty()

        expect(page.locator("#feedback-text")).to_contain_text("Many are saying something right now.")


def test_a_wrong_answer_ends_as_a_corrected_row_of_the_manifest(
    visit: Visit, keeping_server: str, log: Path, gifs: Path, tmp_path: Path
) -> None:
    from training.cli import app
    from training.data.manifest import read_manifest

    page = visit(keeping_server)
    drop_file(page, MEADOW)
    page.get_by_label("Key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="No", exact=True).click()
    page.get_by_label("Which show is it?").fill("Meadow Show")
    page.get_by_label("Also send the GIF").check()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Thank you.", exact=True).first).to_be_visible()

    [kept] = gifs.iterdir()
    assert kept.read_bytes() == MEADOW.read_bytes()
    assert [(said.show, said.gif) for said in said_in(log)] == [("Meadow Show", kept.name)]

    def gif_train(*words: object) -> None:
        done = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    manifest, out = tmp_path / "shows.csv", tmp_path / "out"
    manifest.write_text(f"path,show,group\n{MEADOW},Big Buck Bunny,a\n{BROOK},Big Buck Bunny,b\n", "utf-8")
    gif_train("feedback", log, "--gifs", gifs, "--manifest", manifest, "--out", out, "--root", "/")
    exported, corrected = tmp_path / "export.json", tmp_path / "corrected.csv"
    exported.write_text(json.dumps(agreed(out / "label-studio/tasks.json")), "utf-8")
    gif_train("review", "apply", exported, "--manifest", manifest, "--out", corrected)

    assert [(row.path.name, row.show) for row in read_manifest(corrected)] == [
        ("meadow.gif", "Meadow Show"),
        ("brook.gif", "Big Buck Bunny"),
    ]
    assert "Big Buck Bunny,reviewer@example.org" in corrected.read_text("utf-8")


def agreed(tasks: Path) -> list[dict[str, Any]]:
    """What Label Studio exports after a reviewer has accepted what the user said."""
    return [
        {
            "data": task["data"],
            "annotations": [
                {
                    "result": task["predictions"][-1]["result"],
                    "completed_by": {"email": "reviewer@example.org"},
                    "created_at": "2026-11-29T12:00:00Z",
                }
            ],
        }
        for task in json.loads(tasks.read_text("utf-8"))
    ]
