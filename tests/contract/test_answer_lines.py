"""REST, the Lambda handler and the inference service log the same line for the same GIF, each answer once."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from delivery.request import Request, to_event
from gateway.pipeline import local
from gateway.remote import remote
from gateway.rest.app import create_app
from services.errors import AddressRefused, NotAGif
from services.inference.answers import Answer, answer_line, read_answer
from services.inference.rpc import RemoteClassifier
from services.preprocess import decode_gif
from tests.support.serving import serving_app

Logged = Callable[[], list[Answer]]
NAME = "someones-holiday.gif"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Logged]:
    """A function that returns the answers that were logged since it was called last."""

    def read() -> list[Answer]:
        records = [json.loads(json.dumps(_json_of(record))) for record in caplog.records]
        caplog.clear()
        return [answer for record in records if (answer := read_answer(record)) is not None]

    with caplog.at_level(logging.INFO):
        yield read


def _json_of(record: logging.LogRecord) -> dict[str, Any]:
    plain = {name for name in vars(logging.makeLogRecord({})) if name != "message"}
    return {key: value for key, value in vars(record).items() if key not in plain} | {
        "message": record.getMessage()
    }


async def fetch(url: str) -> bytes:
    raise AddressRefused("10.0.0.1", "it is not on the public internet (private)")


def said(answer: Answer) -> Answer:
    """An answer without what differs from request to request."""
    return dataclasses.replace(
        answer,
        request_id="",
        interface="rest",
        duration_ms=0,
        decode_ms=None,
        classify_ms=None,
    )


def test_every_interface_logs_the_same_line(
    build_handler: Callable[..., Any], model_path: Path, address: str, gif: bytes, logged: Logged
) -> None:
    with serving_app(create_app(local(model_path), fetch)) as served:
        httpx.post(f"{served.url}/v1/identify", files={"file": (NAME, gif)}, timeout=60).raise_for_status()
    [rest] = logged()
    event = to_event(Request("POST", "/v1/identify", headers={"content-type": "image/gif"}, body=gif))
    assert build_handler(local(model_path), fetch)(event, None)["statusCode"] == 200
    [in_lambda] = logged()
    with RemoteClassifier(address) as classifier:
        classifier.classify(decode_gif(gif))
    [grpc] = logged()

    assert said(rest) == said(in_lambda) == said(dataclasses.replace(grpc, format="gif"))
    assert grpc.format == ""  # a clip on the wire does not say
    assert (rest.interface, in_lambda.interface, grpc.interface) == ("rest", "lambda", "grpc")
    assert (rest.verdict, set(rest.names), rest.format) == ("one_of", {"Red Show", "Blue Show"}, "gif")
    assert rest.familiarity is not None and rest.familiarity > 0
    assert rest.decode_ms is not None and rest.classify_ms is not None and grpc.classify_ms is not None
    assert rest.duration_ms >= rest.classify_ms
    assert len({answer.request_id for answer in (rest, in_lambda, grpc)}) == 3
    assert not {"sha256", "source", NAME} & set(str(answer_line(rest)).replace("'", " ").split())


def test_behind_a_gateway_an_answer_is_logged_once(address: str, gif: bytes, logged: Logged) -> None:
    pipeline = remote(address, address, logs_answers=True)

    with serving_app(create_app(pipeline, fetch)) as served:
        first, again = (
            httpx.post(
                f"{served.url}/v1/identify", content=gif, headers={"Content-Type": "image/gif"}, timeout=60
            )
            for _ in range(2)
        )

    new, kept = logged()
    assert (new.interface, new.kept, kept.kept) == ("rest", False, True)
    assert new.request_id == first.headers["X-Request-Id"]
    assert kept.request_id == again.headers["X-Request-Id"]
    assert said(new) == dataclasses.replace(said(kept), kept=False)


def test_an_error_is_logged_by_its_reason(model_path: Path, logged: Logged) -> None:
    with serving_app(create_app(local(model_path), fetch)) as served:
        url = f"{served.url}/v1/identify"
        httpx.post(url, content=b"no", headers={"Content-Type": "image/gif"}, timeout=60)
        httpx.get(url, params={"url": "https://10.0.0.1/private.gif"}, timeout=60)
        httpx.get(f"{served.url}/v1/shows", timeout=60)

    assert [answer.error for answer in logged()] == [NotAGif.reason, AddressRefused.reason]
