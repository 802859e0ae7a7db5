"""The Lambda handler with events of a Function URL; tests/contract has what it shares with REST."""

from __future__ import annotations

import base64
import json
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
from tests.support import programs
from tests.support.library import add_gifs
from tests.support.paths import ROOT
from tests.support.serving import no_fetch

COLD_START = """
import json, sys
from gateway.lambda_handler import handler
loaded = sorted(sys.modules)
print(json.dumps([loaded, *(handler(event, None) for event in json.load(sys.stdin))]))
"""
UNWANTED = {
    *("grpc", "google", "gif_analyzer", "open_inference", "prometheus_client", "uvicorn"),
    *("httpx", "httpcore", "typer", "rich", "daft"),
}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
IMAGE = {"content-type": "image/gif"}
EXAMPLE = ROOT / "examples/meadow.gif"


@pytest.fixture
def handler(model_path: Path) -> Handler:
    """The handler with the mean-colour model, which can fetch no address."""
    from gateway.lambda_handler import build_handler

    async def fetch(url: str) -> bytes:
        raise FetchFailed("giphy.com", "there is no network")

    return build_handler(local(model_path), fetch)


def test_a_library_in_lambda_is_only_read(
    model_path: Path, tmp_path: Path, save_gif: Callable[..., Path]
) -> None:
    from gateway.lambda_handler import build_handler

    red = save_gif("red.gif", "red")
    path = add_gifs(tmp_path / "some.library", model_path, {"Red Show": [red]})
    pipeline = local(model_path, library=path)
    handler = build_handler(pipeline, no_fetch, RestSettings(api_keys=("key",)), library=ServedLibrary(path))
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


def test_a_cold_start_loads_little_and_answers_by_its_settings(tmp_path: Path) -> None:
    library = add_gifs(tmp_path / "my.library", default_model_path(), {"Meadows": [EXAMPLE]})
    headers = {**IMAGE, "traceparent": f"00-{TRACE}-{SPAN}-01"}
    requests = (
        Request("POST", "/v1/identify", "top_k=1", headers, EXAMPLE.read_bytes()),
        Request("GET", "/v1/identify", "url=http%3A%2F%2Fgiphy.com%2Fa.gif"),
    )
    settings = {"GIF_ANALYZER_LIBRARY": str(library), "GIF_ANALYZER_FETCH_HOSTS": "example.org"}

    done = programs.python(COLD_START, stdin=json.dumps(list(map(to_event, requests))), **settings)

    loaded, *results = json.loads(done.stdout)
    named, refused = map(from_result, results)
    assert UNWANTED & set(loaded) == set()
    assert named.json()["model"]["name"] == "gif-shows"
    assert [(match["show"], match["name"]) for match in named.json()["matches"]] == [
        ("Meadows", "meadow.gif")
    ]
    assert refused.json()["reason"] == "ADDRESS_REFUSED"
    # The log, one JSON object a line: two for each event.
    first, second, third, fourth = map(json.loads, done.stderr.splitlines())
    assert (first["message"], second["message"]) == ("answer", "request")
    assert first["trace_id"] == second["trace_id"] == TRACE
    assert SPAN not in (first["span_id"], second["span_id"])
    assert third["error"] == fourth["reason"] == "ADDRESS_REFUSED"
    assert "a.gif" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"GIF_ANALYZER_THREADS": "all"}, "GIF_ANALYZER_THREADS must be a whole number"),
        (
            {"GIF_ANALYZER_FEEDBACK_GIFS": str(ROOT), "GIF_ANALYZER_API_KEYS": "key"},
            "GIF_ANALYZER_FEEDBACK_GIFS must be left out in AWS Lambda",
        ),
    ],
)
def test_a_bad_setting_ends_the_cold_start_and_is_named(variables: dict[str, str], says: str) -> None:
    done = programs.python("import gateway.lambda_handler", **variables)

    assert done.returncode != 0
    assert says in done.stderr


def test_a_library_in_the_bundle_is_where_the_handler_looks_for_it() -> None:
    from gateway.lambda_handler import BUNDLED_LIBRARY

    assert ROOT / LIBRARY == BUNDLED_LIBRARY


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
