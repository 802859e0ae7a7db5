"""A challenger beside the champion: in the gateway, in the gRPC pair, and in the Lambda handler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import onnx
import pytest

from delivery.request import Request, to_event
from gateway.pipeline import local
from gateway.remote import remote
from gateway.rest.app import create_app
from services.inference import Classifier
from services.inference.shadow import Compared, Shadow, read_compared
from services.pair import build_pair
from services.preprocess import Budget
from services.rpc.server import serving
from services.rpc.settings import ServerSettings
from tests.support.models import familiar_model
from tests.support.serving import no_fetch, serving_app

Logged = Callable[[], list[Compared]]


@pytest.fixture
def challenger(tmp_path: Path) -> Path:
    path = tmp_path / "challenger.onnx"
    onnx.save(familiar_model(metadata={"version": "9.9"}), path)
    return path


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[Logged]:
    """A function that returns the comparisons that were logged."""

    def read() -> list[Compared]:
        records = [{**vars(record), "message": record.getMessage()} for record in caplog.records]
        return [found for record in records if (found := read_compared(record)) is not None]

    with caplog.at_level(logging.INFO):
        yield read


def ask(url: str, gif: bytes) -> dict[str, Any]:
    answer = httpx.post(f"{url}/v1/identify", content=gif, headers={"Content-Type": "image/gif"}, timeout=60)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def test_the_gateway_asks_a_challenger_and_answers_with_the_champion(
    model_path: Path, challenger: Path, gif: bytes, logged: Logged
) -> None:
    shadow = Shadow(challenger, share=1)
    with serving_app(create_app(local(model_path, shadow=shadow), no_fetch)) as served:
        answer = ask(served.url, gif)
        again = ask(served.url, gif)
    shadow.drain()

    assert answer["model"]["version"] == again["model"]["version"] == "1.2.3"
    [line] = logged()  # the second answer came from the cache
    assert (line.champion, line.challenger, line.agree, line.verdict) == ("1.2.3", "9.9", True, "one_of")


def test_the_pair_asks_a_challenger_once_for_a_gateway(
    model_path: Path, challenger: Path, gif: bytes, logged: Logged
) -> None:
    shadow = Shadow(challenger, share=1)
    classifier = Classifier(model_path, shadow=shadow)
    with serving(lambda: build_pair(ServerSettings(port=0), classifier, Budget())) as port:
        address = f"127.0.0.1:{port}"
        with serving_app(create_app(remote(address, address, logs_answers=True), no_fetch)) as served:
            assert ask(served.url, gif)["model"]["version"] == "1.2.3"
    shadow.drain()

    assert [line.challenger for line in logged()] == ["9.9"]


def test_in_lambda_the_line_is_written_before_the_answer_is_sent(
    build_handler: Callable[..., Any], model_path: Path, challenger: Path, gif: bytes, logged: Logged
) -> None:
    shadow = Shadow(challenger, share=1)
    handler = build_handler(local(model_path, shadow=shadow), no_fetch, shadow=shadow)
    event = to_event(Request("POST", "/v1/identify", headers={"content-type": "image/gif"}, body=gif))

    assert handler(event, None)["statusCode"] == 200

    [line] = logged()  # at once: Lambda stops the process now
    assert line.challenger == "9.9"
