"""/v1/feedback over real HTTP: lines in the log or in a file, GIFs kept with consent, and what is refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.pipeline import Pipeline
from gateway.rest.app import create_app
from gateway.rest.feedback import Rate
from gateway.settings import RestSettings
from services.errors import AddressRefused, RateLimited
from services.inference.answers import read_records
from services.inference.feedback import Feedback, read_feedback
from tests.support.serving import Served

Serve = Callable[[FastAPI], Served]
Open = Callable[..., httpx.Client]
ANSWER = "0123456789abcdef0123456789abcdef"
GIVEN = {"answer": ANSWER, "right": False, "show": "A", "consent": True}


@pytest.fixture
def open_client(pipeline: Pipeline, gif: bytes, serve_app: Serve) -> Iterator[Open]:
    """A function that serves a gateway with these settings, and returns a client of it."""
    clients: list[httpx.Client] = []

    async def fetch(url: str) -> bytes:
        if "refused" in url:
            raise AddressRefused("10.0.0.1", "it is not on the public internet (private)")
        return gif

    def start(**settings: Any) -> httpx.Client:
        served = serve_app(create_app(pipeline, fetch, settings=RestSettings(**settings)))
        headers = {"X-API-Key": "key"} if "api_keys" in settings else {}
        clients.append(httpx.Client(base_url=served.url, headers=headers, trust_env=False, timeout=60))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


def reason(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["reason"]


def lines(path: Path) -> list[Feedback]:
    with path.open(encoding="utf-8") as file:
        found = [read_feedback(record) for _, record in read_records(file)]
    return [feedback for feedback in found if feedback is not None]


def test_feedback_is_a_line_of_the_log(open_client: Open, caplog: pytest.LogCaptureFixture) -> None:
    client = open_client()

    with caplog.at_level(logging.INFO):
        right = client.post("/v1/feedback", params={"answer": ANSWER, "right": True})
        wrong = client.post(
            "/v1/feedback", params={"answer": ANSWER, "right": False, "show": " Green  Show "}
        )

    assert (right.status_code, right.json()) == (201, {"answer": ANSWER, "kept_gif": False})
    assert wrong.status_code == 201
    told = [vars(record) for record in caplog.records if record.getMessage() == "feedback"]
    assert [read_feedback({**each, "message": "feedback"}) for each in told] == [
        Feedback(ANSWER, True),
        Feedback(ANSWER, False, "Green Show"),
    ]


def test_feedback_is_appended_to_a_file(open_client: Open, tmp_path: Path) -> None:
    path = tmp_path / "feedback.log"
    path.write_text('{"message": "feedback", "answer_id": "a0", "right": true, "show": "", "gif": ""}\n')
    client = open_client(feedback_file=path)

    client.post("/v1/feedback", params={"answer": ANSWER, "right": False})

    assert lines(path) == [Feedback("a0", True), Feedback(ANSWER, False)]
    assert "time" in json.loads(path.read_text().splitlines()[1])


def test_the_id_of_an_answer_is_that_of_its_request(open_client: Open, gif: bytes, tmp_path: Path) -> None:
    client = open_client(feedback_file=tmp_path / "feedback.log")

    answer = client.post("/v1/identify", content=gif, headers={"Content-Type": "image/gif"})
    client.post("/v1/feedback", params={"answer": answer.headers["X-Request-Id"], "right": True})

    assert lines(tmp_path / "feedback.log") == [Feedback(answer.headers["X-Request-Id"], True)]


@pytest.mark.parametrize("by_address", [False, True])
def test_a_gif_is_kept_with_a_key_and_consent(
    open_client: Open, gif: bytes, tmp_path: Path, by_address: bool
) -> None:
    folder, path = tmp_path / "gifs", tmp_path / "feedback.log"
    folder.mkdir()
    client = open_client(feedback_file=path, feedback_gifs=folder, api_keys=("key",))
    body: dict[str, Any] = (
        {"json": {"url": "https://a.example/b.gif"}} if by_address else {"files": {"file": ("b.gif", gif)}}
    )

    said = {"answer": ANSWER, "right": False, "show": "Green Show", "consent": True}
    done = client.post("/v1/feedback", params=said, **body)

    assert (done.status_code, done.json()["kept_gif"]) == (201, True)
    [kept] = folder.iterdir()
    assert kept.read_bytes() == gif
    assert lines(path) == [Feedback(ANSWER, False, "Green Show", kept.name)]
    assert client.get("/v1/feedback").json() == {"open": True, "keeps_gifs": True}


@pytest.mark.parametrize(
    ("params", "body", "expected"),
    [
        ({"answer": ANSWER}, {}, (400, "INVALID_REQUEST")),
        ({"right": True}, {}, (400, "INVALID_REQUEST")),
        ({"answer": ANSWER, "right": True, "show": "A"}, {}, (400, "INVALID_REQUEST")),
        ({"answer": "a b", "right": True}, {}, (400, "INVALID_ARGUMENT")),
        ({"answer": ANSWER, "right": False, "show": "A\x07"}, {}, (400, "INVALID_ARGUMENT")),
        ({"answer": ANSWER, "right": False, "show": "A" * 251}, {}, (400, "INVALID_ARGUMENT")),
        ({"answer": ANSWER, "right": "maybe"}, {}, (400, "INVALID_ARGUMENT")),
        ({"answer": ANSWER, "right": True, "sure": 1}, {}, (400, "INVALID_REQUEST")),
        ({"answer": ANSWER, "right": True}, {"content": b"GIF89a"}, (400, "INVALID_REQUEST")),
        (
            GIVEN,
            {"content": b""},
            (415, "UNSUPPORTED_MEDIA"),
        ),
        (
            GIVEN,
            {"content": b"no", "headers": {"Content-Type": "image/gif"}},
            (422, "NOT_A_GIF"),
        ),
        (
            GIVEN,
            {"json": {"url": "https://refused/a.gif"}},
            (403, "ADDRESS_REFUSED"),
        ),
    ],
)
def test_what_is_refused_leaves_nothing(
    open_client: Open, tmp_path: Path, params: dict[str, Any], body: dict[str, Any], expected: tuple[int, str]
) -> None:
    folder, path = tmp_path / "gifs", tmp_path / "feedback.log"
    folder.mkdir()
    client = open_client(feedback_file=path, feedback_gifs=folder, api_keys=("key",))

    assert reason(client.post("/v1/feedback", params=params, **body)) == expected
    assert not path.exists()
    assert list(folder.iterdir()) == []


def test_a_key_is_asked_for_where_keys_are_set(open_client: Open) -> None:
    client = open_client(api_keys=("key",))

    answer = client.post("/v1/feedback", params={"answer": ANSWER, "right": True}, headers={"X-API-Key": "x"})

    assert reason(answer) == (401, "UNAUTHORIZED")


def test_feedback_can_be_switched_off(open_client: Open) -> None:
    client = open_client(feedback=False)

    assert client.get("/v1/feedback").json() == {"open": False, "keeps_gifs": False}
    answer = client.post("/v1/feedback", params={"answer": ANSWER, "right": True})
    assert reason(answer) == (403, "FEEDBACK_CLOSED")


def test_a_server_that_keeps_no_gifs_takes_none(open_client: Open, gif: bytes) -> None:
    said = GIVEN

    answer = open_client().post("/v1/feedback", params=said, files={"file": gif})

    assert reason(answer) == (403, "FEEDBACK_CLOSED")


def test_nobody_keeps_gifs_without_keys(pipeline: Pipeline, tmp_path: Path) -> None:
    async def fetch(url: str) -> bytes:
        raise AssertionError

    with pytest.raises(ValueError, match="needs API keys"):
        create_app(pipeline, fetch, settings=RestSettings(feedback_gifs=tmp_path))


def test_too_much_feedback_is_refused_with_a_time_to_come_again(open_client: Open) -> None:
    client = open_client(feedback_per_minute=2)
    said = {"answer": ANSWER, "right": True}

    first, second, third = (client.post("/v1/feedback", params=said) for _ in range(3))

    assert (first.status_code, second.status_code) == (201, 201)
    assert reason(third) == (429, "RATE_LIMITED")
    assert 1 <= int(third.headers["Retry-After"]) <= 30


def test_the_rate_recovers_with_time() -> None:
    now = [0.0]
    rate = Rate(2, clock=lambda: now[0])
    rate.take()
    rate.take()

    with pytest.raises(RateLimited):
        rate.take()
    now[0] = 30.0
    rate.take()
    with pytest.raises(RateLimited):
        rate.take()
