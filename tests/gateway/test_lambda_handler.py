"""The Lambda handler with events of a Function URL; tests/contract has what it shares with REST."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from delivery.bundle.packages import LIBRARY
from delivery.request import Request, from_result, to_event
from gateway.lambda_handler import Handler
from gateway.library import ServedLibrary
from gateway.pipeline import local
from gateway.settings import RestSettings
from services.errors import FetchFailed
from services.inference import default_model_path
from tests.support.library import add_gifs
from tests.support.paths import ROOT

ANSWER = """
import json, sys
from gateway.lambda_handler import handler
print(json.dumps(handler(json.load(sys.stdin), None)))
"""
IMAGE = {"content-type": "image/gif"}
EXAMPLE = ROOT / "examples/meadow.gif"


@pytest.fixture
def handler(model_path: Path) -> Handler:
    """The handler with the mean-colour model, which can fetch no address."""
    from gateway.lambda_handler import build_handler

    async def fetch(url: str) -> bytes:
        raise FetchFailed("giphy.com", "there is no network")

    return build_handler(local(model_path), fetch)


def run_fresh(program: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, as a cold start is."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIF_ANALYZER_")}
    return subprocess.run(
        [sys.executable, "-c", program],
        input=stdin,
        env={**kept, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_library_in_lambda_is_only_read(
    model_path: Path, tmp_path: Path, save_gif: Callable[..., Path]
) -> None:
    from gateway.lambda_handler import build_handler

    async def fetch(url: str) -> bytes:
        raise AssertionError

    red = save_gif("red.gif", "red")
    path = add_gifs(tmp_path / "some.library", model_path, {"Red Show": [red]})
    pipeline = local(model_path, library=path)
    handler = build_handler(pipeline, fetch, RestSettings(api_keys=("key",)), library=ServedLibrary(path))
    headers = {**IMAGE, "x-api-key": "key"}

    def ask(method: str, query: str, body: bytes = b"") -> Any:
        return from_result(
            handler(to_event(Request(method, "/v1/library", query, headers, body)), None)
        ).json()

    assert ask("GET", "")["shows"] == [{"show": "Red Show", "clip_count": 1}]
    assert ask("GET", "")["writable"] is False
    assert ask("POST", "show=Other", red.read_bytes())["reason"] == "LIBRARY_READ_ONLY"
    assert ask("DELETE", "name=red.gif")["reason"] == "LIBRARY_READ_ONLY"


# A cold start


def test_lean_imports() -> None:
    done = run_fresh(
        "import sys, gateway.lambda_handler\n"
        "unwanted = {'grpc', 'google', 'gif_analyzer', 'open_inference', 'prometheus_client', 'uvicorn',"
        " 'httpx', 'httpcore', 'typer', 'rich', 'daft'}\n"
        "print(sorted(unwanted & set(sys.modules)))"
    )

    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_a_fresh_process_answers_its_first_event_with_the_packaged_model() -> None:
    event = to_event(Request("POST", "/v1/identify", "top_k=1", IMAGE, EXAMPLE.read_bytes()))

    done = run_fresh(ANSWER, json.dumps(event))

    response = from_result(json.loads(done.stdout))
    assert response.status == 200
    [show] = response.json()["shows"]
    assert 0 < show["probability"] <= 1


def test_a_library_is_named_by_the_setting(tmp_path: Path) -> None:
    library = add_gifs(tmp_path / "my.library", default_model_path(), {"Meadows": [EXAMPLE]})
    event = to_event(Request("POST", "/v1/identify", "top_k=1", IMAGE, EXAMPLE.read_bytes()))

    done = run_fresh(ANSWER, json.dumps(event), GIF_ANALYZER_LIBRARY=str(library))

    [match] = from_result(json.loads(done.stdout)).json()["matches"]
    assert (match["show"], match["name"]) == ("Meadows", "meadow.gif")


def test_a_library_in_the_bundle_is_where_the_handler_looks_for_it() -> None:
    from gateway.lambda_handler import BUNDLED_LIBRARY

    assert ROOT / LIBRARY == BUNDLED_LIBRARY


def test_a_bad_setting_ends_the_cold_start_and_is_named() -> None:
    done = run_fresh("import gateway.lambda_handler", GIF_ANALYZER_THREADS="all")

    assert done.returncode != 0
    assert "GIF_ANALYZER_THREADS must be a whole number" in done.stderr


def test_lambda_keeps_no_gif_and_writes_no_file(tmp_path: Path) -> None:
    kept = {"GIF_ANALYZER_FEEDBACK_GIFS": str(tmp_path), "GIF_ANALYZER_API_KEYS": "key"}

    done = run_fresh("import gateway.lambda_handler", **kept)

    assert done.returncode != 0
    assert "GIF_ANALYZER_FEEDBACK_GIFS must be left out in AWS Lambda" in done.stderr


def test_settings_reach_the_handler() -> None:
    event = to_event(Request("GET", "/v1/identify", "url=http%3A%2F%2Fgiphy.com%2Fa.gif"))

    done = run_fresh(ANSWER, json.dumps(event), GIF_ANALYZER_FETCH_HOSTS="example.org")

    problem = from_result(json.loads(done.stdout)).json()
    assert problem["reason"] == "ADDRESS_REFUSED"
    # The log, one JSON object a line.
    answer, request = [json.loads(line) for line in done.stderr.splitlines()]
    assert answer["error"] == request["reason"] == "ADDRESS_REFUSED"
    assert "a.gif" not in done.stderr


# Events


def test_recorded_event(handler: Handler, gif: bytes) -> None:
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/v1/identify",
        "rawQueryString": "top_k=1",
        "cookies": ["seen=1"],
        "headers": {
            "accept": "*/*",
            "content-length": str(len(gif)),
            "content-type": "image/gif",
            "host": "abcdefghij.lambda-url.eu-central-1.on.aws",
            "user-agent": "curl/8.5.0",
            "x-amzn-tls-version": "TLSv1.3",
            "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678",
            "x-forwarded-for": "198.51.100.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "queryStringParameters": {"top_k": "1"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abcdefghij",
            "domainName": "abcdefghij.lambda-url.eu-central-1.on.aws",
            "domainPrefix": "abcdefghij",
            "http": {
                "method": "POST",
                "path": "/v1/identify",
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "routeKey": "$default",
            "stage": "$default",
            "time": "24/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1795521600000,
        },
        "body": base64.b64encode(gif).decode(),
        "isBase64Encoded": True,
    }

    result: dict[str, Any] = handler(event, None)

    assert result["statusCode"] == 200
    assert result["isBase64Encoded"] is False  # JSON stays readable in the answer and in a log
    assert json.loads(result["body"])["shows"][0]["show"] == "Red Show"


def test_events_follow_one_another(handler: Handler, gif: bytes) -> None:
    bodies = (gif, b"x", gif)

    events = [to_event(Request("POST", "/v1/identify", "", IMAGE, body)) for body in bodies]

    assert [from_result(handler(event, None)).status for event in events] == [200, 422, 200]


def test_a_problem_is_text_too(handler: Handler) -> None:
    result = handler(to_event(Request("GET", "/v1/identify", "url=http%3A%2F%2Fgiphy.com%2Fa")), None)

    assert result["statusCode"] == 502
    assert result["headers"]["content-type"] == "application/problem+json"
    assert json.loads(result["body"])["reason"] == "FETCH_FAILED"


@pytest.mark.parametrize("kind", ["image/gif", "multipart/form-data; boundary=x"])
def test_too_long_body_gets_advice(handler: Handler, gif: bytes, kind: str) -> None:
    from gateway.lambda_handler import MAX_BODY_BYTES

    request = Request(
        "POST", "/v1/identify", "", {"content-type": kind}, gif.ljust(MAX_BODY_BYTES + 1, b"\0")
    )

    response = from_result(handler(to_event(request), None))

    problem = response.json()
    assert (response.status, problem["reason"]) == (413, "REQUEST_TOO_LARGE")
    assert "a body is limited to 4,643,592 bytes; send the address of the GIF instead" in problem["detail"]


def test_longest_body_fits_into_an_event(handler: Handler, gif: bytes) -> None:
    from gateway.lambda_handler import EVENT_BYTES, MAX_BODY_BYTES

    event = to_event(Request("POST", "/v1/identify", "", IMAGE, gif.ljust(MAX_BODY_BYTES, b"\0")))

    assert len(json.dumps(event)) < EVENT_BYTES
    assert from_result(handler(event, None)).status == 200


def test_there_are_no_metrics(handler: Handler) -> None:
    assert from_result(handler(to_event(Request("GET", "/metrics")), None)).status == 404


EVENT = to_event(Request("POST", "/v1/identify", "", IMAGE, b"GIF89a"))
NOT_HTTP: dict[str, Any] = {
    "scheduled": {"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}},
    "a queue": {"Records": [{"eventSource": "aws:sqs", "body": "secret"}]},
    "nothing": {},
    "None": None,
    "a list": [EVENT],
    "a text": "secret",
    "no method": {**EVENT, "requestContext": {}},
    "a body that is not base64": {**EVENT, "body": "secre", "isBase64Encoded": True},
    "a body that is no text": {**EVENT, "body": 7, "isBase64Encoded": False},
    "a host with two ports": {**EVENT, "headers": {"host": "a:1:2"}},
    "half a character in a header": {**EVENT, "headers": {"host": "x", "accept": "\ud800"}},
    "no headers": {**EVENT, "headers": None},
}


@pytest.mark.parametrize("event", NOT_HTTP.values(), ids=NOT_HTTP)
def test_other_event_is_logged_once(handler: Handler, event: Any, caplog: pytest.LogCaptureFixture) -> None:
    response = from_result(handler(event, None))

    assert (response.status, response.json()["reason"]) == (400, "INVALID_REQUEST")
    [record] = caplog.records
    assert record.getMessage() == "this event is not an HTTP request, and nothing was done"
    assert "secre" not in str(vars(record))


@pytest.mark.parametrize("path", ["/", "/health/ready", "/v1/model", "/openapi.json", "/v1/none"])
def test_head_is_answered_as_get_without_a_body(handler: Handler, path: str) -> None:
    asked, got = (from_result(handler(to_event(Request(method, path)), None)) for method in ("HEAD", "GET"))

    assert (asked.status, asked.body) == (got.status, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert asked.headers["content-length"] == got.headers["content-length"]


def test_half_a_character_in_a_path(handler: Handler) -> None:
    event = to_event(Request("GET", "/v1/none"))
    event["requestContext"]["http"]["path"] = "/\ud800"

    response = from_result(handler(event, None))

    assert (response.status, response.json()["reason"]) == (404, "UNKNOWN_PATH")


@pytest.mark.parametrize("length", ["9" * 5_000, "one", "-1", "\u0661"])
def test_invalid_content_length(handler: Handler, gif: bytes, length: str) -> None:
    headers = {**IMAGE, "content-length": length}

    response = from_result(handler(to_event(Request("POST", "/v1/identify", "", headers, gif)), None))

    assert response.status == (413 if length.startswith("9") else 200)
