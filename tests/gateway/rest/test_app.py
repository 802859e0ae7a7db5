"""The application over real HTTP: keys, origins, limits, ids, logs, figures, and every error in one form."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.pipeline import Pipeline
from gateway.rest.app import create_app
from gateway.rest.limits import LOOPBACK_HOSTS
from gateway.rest.server import with_hosts
from gateway.settings import RestSettings
from services.clip import Clip
from services.errors import AddressRefused, AnalyzerError, ServiceUnavailable
from tests.support.serving import Served, no_fetch

Serve = Callable[[FastAPI], Served]
Open = Callable[..., httpx.Client]
Log = pytest.LogCaptureFixture
ADDRESS = "https://media.giphy.com/media/abc/giphy.gif?secret=1"


@pytest.fixture
def open_gateway(pipeline: Pipeline, gif: bytes, serve_app: Serve) -> Iterator[Open]:
    """A function that serves a gateway with these settings, and returns a client of it."""
    clients: list[httpx.Client] = []

    async def fetch(url: str) -> bytes:
        if "refused" in url:
            raise AddressRefused("10.0.0.1", "it is not on the public internet (private)")
        return gif

    def start(*, over: Pipeline = pipeline, **settings: Any) -> httpx.Client:
        served = serve_app(create_app(over, fetch, settings=RestSettings(**settings)))
        clients.append(httpx.Client(base_url=served.url, timeout=60, trust_env=False))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


def send(client: httpx.Client, gif: bytes, **options: Any) -> httpx.Response:
    headers = {"Content-Type": "image/gif", **options.pop("headers", {})}
    return client.post("/v1/identify", content=gif, headers=headers, **options)


def reason(answer: httpx.Response) -> tuple[int, str]:
    """Status and reason of an error, whose form is checked on the way."""
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail"} | {
        *("reason", "message", "details", "request_id")
    }
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["type"] == f"urn:gif-analyzer:problem:{problem['reason'].lower().replace('_', '-')}"
    return answer.status_code, problem["reason"]


# Requests


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("GET", "/v1/identify?ulr=https://a.example/a.gif", "unknown parameter 'ulr'; did you mean url?"),
        ("POST", "/v1/identify?topk=3", "unknown parameter 'topk'; did you mean top_k?"),
        ("POST", "/v1/identify?Exact=true", "unknown parameter 'Exact'; did you mean exact?"),
        ("GET", "/v1/shows?kind=anime", "unknown parameter 'kind'; known are none"),
        ("POST", "/v1/identify?" + "x" * 500, "known are exact, pictures, top_k"),
        ("POST", "/v1/identify?top_k=1&top_k=2", "the parameter top_k is given more than once"),
    ],
)
def test_misspelt_parameter(open_gateway: Open, method: str, path: str, says: str) -> None:
    answer = open_gateway().request(method, path)

    assert reason(answer) == (400, "INVALID_REQUEST")
    assert says in answer.json()["detail"]
    assert len(answer.json()["detail"]) < 250


def typed(media_type: str, content: bytes) -> dict[str, Any]:
    return {"content": content, "headers": {"Content-Type": media_type}}


INVALID = (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (415, "UNSUPPORTED_MEDIA")),
        (typed("image/gif", b""), INVALID),
        (typed("application/octet-stream", b"<html>"), (422, "NOT_A_GIF")),
        ({"files": [("file", ("a", b"x")), ("file", ("b", b"y"))]}, INVALID),
        ({"files": {"file": ("a.gif", b"")}}, INVALID),
        ({"files": {"file": (None, b"x")}}, (422, "NOT_A_GIF")),
        ({"files": {"file": ("a.gif", b"x")}, "data": {"url": "http://a/"}}, INVALID),
        (typed("multipart/form-data; boundary=b", b"--b\r\nhalf"), INVALID),
        (typed("multipart/form-data", b"x"), INVALID),
        ({"json": {"url": 7}}, INVALID),
        ({"json": {"url": "http://a/", "file": "x"}}, INVALID),
        ({"json": ["http://a/"]}, INVALID),
        (typed("application/json", b'{"url": "http://a/", "url": "http://b/"}'), INVALID),
        *((typed("application/json", text), INVALID) for text in (b'{"url": "\xff"}', b"[1")),
        *((typed("application/json", text), INVALID) for text in (b"[" * 60_000, b" " * 70_000)),
        ({"json": {"url": "http://refused/"}}, (403, "ADDRESS_REFUSED")),
    ],
)
def test_invalid_body(open_gateway: Open, body: dict[str, Any], expected: tuple[int, str]) -> None:
    assert reason(open_gateway().post("/v1/identify", **body)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/identify", (400, "INVALID_REQUEST")),
        ("/v1/identify?url=http://a/&top_k=0", (400, "INVALID_ARGUMENT")),
        ("/v1/identify?url=http://a/&top_k=1001", (400, "INVALID_ARGUMENT")),
        ("/v1/identify?url=http://a/&top_k=many", (400, "INVALID_ARGUMENT")),
        ("/v1/identify?url=http://a/&pictures=perhaps", (400, "INVALID_ARGUMENT")),
        ("/v1/nothing", (404, "UNKNOWN_PATH")),
    ],
)
def test_invalid_request(open_gateway: Open, path: str, expected: tuple[int, str]) -> None:
    assert reason(open_gateway().get(path)) == expected


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/v1/" + "a" * 5_000, {}),
        ("M" * 5_000, "/v1/identify", {}),
        ("POST", "/v1/identify", {"Content-Type": "a" * 5_000}),
        ("GET", "/v1/identify?url=http://a/&top_k=" + "a" * 5_000, {}),
    ],
    ids=["path", "method", "media type", "value"],
)
def test_errors_quote_little_of_a_request(
    open_gateway: Open, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = open_gateway().request(method, path, headers=headers)

    assert len(answer.json()["detail"]) <= 500
    assert max(map(len, answer.json()["details"].values())) <= 500
    assert len(answer.content) < 2_000


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost", 200), ("127.0.0.1:8080", 200), ("[::1]:8080", 200), ("LocalHost:1", 200)),
        *(("gifs.example.org", 200), ("a.b.example.net:80", 200)),
        *(
            ("evil.example", 400),
            ("127.0.0.1.evil.example:8080", 400),
            ("example.net", 400),
            ("x" * 900, 400),
        ),
        *(("[", 400), (":80", 400)),
    ],
)
def test_only_allowed_hosts_are_answered(open_gateway: Open, host: str, status: int) -> None:
    mine = RestSettings(allowed_hosts=("gifs.example.org", "*.example.net"))
    client = open_gateway(allowed_hosts=with_hosts(mine, "127.0.0.1").allowed_hosts)

    answer = client.get("/v1/shows", headers={"Host": host})

    assert answer.status_code == status
    assert client.get("/health/ready", headers={"Host": host}).status_code == 200
    if status == 400:
        assert reason(answer) == (400, "INVALID_REQUEST")
        assert "GIF_ANALYZER_ALLOWED_HOSTS allows more" in answer.json()["detail"]
        assert len(answer.content) < 1_000


@pytest.mark.parametrize(
    ("listening", "allowed", "expected"),
    [
        ("0.0.0.0", (), ()),
        ("0.0.0.0", ("gifs.example",), ("gifs.example",)),
        ("::1", (), (*LOOPBACK_HOSTS, "[::1]")),
        ("127.0.0.2", ("*",), (*LOOPBACK_HOSTS, "127.0.0.2", "*")),
    ],
)
def test_hosts_are_limited_where_only_this_machine_connects(
    listening: str, allowed: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert with_hosts(RestSettings(allowed_hosts=allowed), listening).allowed_hosts == expected


def test_method_not_allowed(open_gateway: Open) -> None:
    answer = open_gateway().delete("/v1/identify")

    assert reason(answer) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "path", ["/", "/health/live", "/health/ready", "/metrics", "/openapi.json", "/v1/model", "/v1/shows"]
)
def test_head_is_answered_wherever_get_is(open_gateway: Open, path: str) -> None:
    client = open_gateway()

    got, asked = client.get(path), client.head(path)

    assert (asked.status_code, asked.content) == (200, b"")
    if path != "/metrics":  # which counts what was asked in between
        assert asked.headers["Content-Length"] == got.headers["Content-Length"]
    assert asked.headers["Content-Type"] == got.headers["Content-Type"]


def test_head_of_a_gif_is_answered_as_get_is(open_gateway: Open) -> None:
    client = open_gateway()
    got, asked = [client.request(m, "/v1/identify", params={"url": ADDRESS}) for m in ("GET", "HEAD")]
    known = {"If-None-Match": got.headers["ETag"]}
    again = client.head("/v1/identify", params={"url": ADDRESS}, headers=known)

    assert (asked.status_code, asked.content, asked.headers["ETag"]) == (200, b"", got.headers["ETag"])
    assert again.status_code == 304
    assert client.head("/v1/none").status_code == 404


def test_answers_never_contain_the_host_header(open_gateway: Open) -> None:
    client = open_gateway()

    for host in ("evil.example", "[", "[::1", "a:b:c", "evil.example:99999"):
        for path in ("/v1/model/", "/v1/none", "/static", "/health/live/", "/v1//evil.example"):
            answer = client.get(path, headers={"Host": host}, follow_redirects=False)
            assert reason(answer) == (404, "UNKNOWN_PATH")
            assert "evil" not in str(answer.headers)
        assert client.get("/health/live", headers={"Host": host}).status_code == 200


def test_known_etag_gives_304(open_gateway: Open, gif: bytes) -> None:
    client = open_gateway()
    first = client.get("/v1/identify", params={"url": ADDRESS})

    again = client.get(
        "/v1/identify", params={"url": ADDRESS}, headers={"If-None-Match": f'"x", W/{first.headers["ETag"]}'}
    )
    other = client.get(
        "/v1/identify", params={"url": ADDRESS, "top_k": 1}, headers={"If-None-Match": first.headers["ETag"]}
    )

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert other.status_code == 200
    assert send(client, gif).headers["ETag"] == first.headers["ETag"]


# Keys and origins


def test_api_keys(open_gateway: Open, gif: bytes) -> None:
    client = open_gateway(api_keys=("first-key", "second-key"))

    for headers in ({"X-API-Key": "first-key"}, {"Authorization": "Bearer second-key"}):
        assert send(client, gif, headers=headers).status_code == 200
        assert client.get("/v1/shows", headers=headers).status_code == 200
    for headers in ({}, {"X-API-Key": "third"}, {"Authorization": "Basic second-key"}, {"X-API-Key": "ü"}):
        answer = send(client, gif, headers={k: v.encode() for k, v in headers.items()})
        assert reason(answer) == (401, "UNAUTHORIZED")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "key" not in answer.text.replace("API-Key", "").replace("KEY", "").split("detail")[0]
    for path in ("/health/live", "/health/ready", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200
    assert reason(client.get("/metrics")) == (401, "UNAUTHORIZED")
    assert client.get("/metrics", headers={"Authorization": "Bearer first-key"}).status_code == 200


@pytest.mark.parametrize("keys", [(), ("first-key",)], ids=["open", "keyed"])
def test_document_describes_keys(open_gateway: Open, keys: tuple[str, ...]) -> None:
    document = open_gateway(api_keys=keys).get("/openapi.json").json()

    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["header"]["in"], schemes["header"]["name"]) == ("header", "X-API-Key")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert "405" not in operation["responses"]  # that is about methods that are no operation
            with_key = [{"bearer": []}, {"header": []}, *([] if keys else [{}])]  # {} is: or none
            asks = path.startswith("/v1/")
            assert operation.get("security") == (with_key if asks else None)
            assert ("401" in operation["responses"]) == asks


def test_cors_origins(open_gateway: Open, gif: bytes) -> None:
    ours, theirs = {"Origin": "https://ours.example"}, {"Origin": "https://theirs.example"}
    closed, opened = open_gateway(), open_gateway(cors_origins=("https://ours.example",), api_keys=("key",))

    assert "Access-Control-Allow-Origin" not in send(closed, gif, headers=ours).headers
    assert "Access-Control-Allow-Origin" not in send(opened, gif, headers=theirs).headers
    refused = send(opened, gif, headers=ours)  # a page must be able to read why it was refused
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://ours.example"
    asked = {**ours, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    assert opened.options("/v1/identify", headers=asked).status_code == 200


# Limits


def test_long_body_is_refused_unread(open_gateway: Open) -> None:
    client = open_gateway(max_body_bytes=1000, body_advice="send an address")
    many = (bytes(65_536) for _ in range(100))

    for body in (bytes(1001), many):
        answer = client.post("/v1/identify", content=body, headers={"Content-Type": "image/gif"})

        assert reason(answer) == (413, "REQUEST_TOO_LARGE")
        assert "limited to 1,000 bytes; send an address" in answer.json()["detail"]


def test_requests_beyond_the_limit_are_refused(open_gateway: Open, pipeline: Pipeline, gif: bytes) -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    def held(content: bytes) -> Clip:
        begun.release()
        go.wait(60)
        return pipeline.decode(content)

    over = Pipeline(held, pipeline.classify, pipeline.describe, pipeline.check)
    client = open_gateway(over=over, in_flight=2, workers=2)
    answers: list[httpx.Response] = []
    asking = [
        threading.Thread(target=lambda body: answers.append(send(client, body)), args=(gif + bytes([n]),))
        for n in range(2)
    ]
    for thread in asking:
        thread.start()
    for _ in asking:
        assert begun.acquire(timeout=60)

    refused = send(client, gif)
    alive = client.get("/health/live")
    go.set()
    for thread in asking:
        thread.join(60)

    assert reason(refused) == (429, "OVERLOADED")
    assert int(refused.headers["Retry-After"]) >= 1
    assert alive.status_code == 200
    assert [answer.status_code for answer in answers] == [200, 200]
    assert send(client, gif).status_code == 200


# Health


def test_readiness_follows_the_services(open_gateway: Open, pipeline: Pipeline) -> None:
    down: list[AnalyzerError] = []

    def check() -> None:
        if down:
            raise down[0]

    client = open_gateway(over=Pipeline(pipeline.decode, pipeline.classify, pipeline.describe, check))

    before = client.get("/health/ready")
    down.append(ServiceUnavailable("localhost:50051", "it says NOT_SERVING"))
    after = client.get("/health/ready")

    assert before.json() == {"status": "ready"}
    assert reason(after) == (503, "SERVICE_UNAVAILABLE")
    assert client.get("/health/live").json() == {"status": "live"}


# Logs and metrics


def test_request_id_is_returned_or_replaced(open_gateway: Open) -> None:
    client = open_gateway()

    kept = client.get("/health/live", headers={"X-Request-Id": "trace-1.2_3"}).headers["X-Request-Id"]
    made = client.get("/health/live", headers={"X-Request-Id": 'a"b c'}).headers["X-Request-Id"]

    assert kept == "trace-1.2_3"
    assert len(made) == 32


def test_log_has_each_request_and_nothing_private(open_gateway: Open, gif: bytes, caplog: Log) -> None:
    client = open_gateway(api_keys=("very-secret",))

    with caplog.at_level(logging.INFO):
        client.get("/v1/identify", params={"url": ADDRESS}, headers={"X-API-Key": "very-secret"})
        client.post(
            "/v1/identify", files={"file": ("holiday.gif", gif)}, headers={"X-API-Key": "very-secret"}
        )
        client.get("/v1/shows", headers={"X-API-Key": "wrong-secret", "X-Request-Id": "mine"})

    told = [record for record in caplog.records if record.name == "gateway.rest.observer"]
    fields = [
        {k: v for k, v in vars(record).items() if k not in logging.makeLogRecord({}).__dict__}
        for record in told
    ]
    assert [(f["method"], f["route"], f["status"]) for f in fields] == [
        ("GET", "/v1/identify", 200),
        ("POST", "/v1/identify", 200),
        ("GET", "/v1/shows", 401),
    ]
    assert [f.get("kept") for f in fields] == [False, True, None]
    assert (fields[2]["reason"], fields[2]["request_id"]) == ("UNAUTHORIZED", "mine")
    ours = [record for record in caplog.records if not record.name.startswith("httpx")]  # the test's client
    everything = json.dumps([{**vars(record), "args": str(record.args)} for record in ours], default=str)
    for private in ("secret", "giphy", "holiday"):
        assert private not in everything


def test_metrics_count_requests_errors_and_kept_answers(open_gateway: Open, gif: bytes) -> None:
    client = open_gateway()
    for _ in range(3):
        send(client, gif)
    send(client, b"<html>")

    page = client.get("/metrics").text

    for line in (
        'gif_analyzer_http_requests_total{method="POST",route="/v1/identify",status="200"} 3.0',
        'gif_analyzer_http_errors_total{reason="NOT_A_GIF"} 1.0',
        'gif_analyzer_gifs_total{from_cache="true"} 2.0',
        'gif_analyzer_gifs_total{from_cache="false"} 1.0',
        "gif_analyzer_gifs_in_flight 0.0",
        "gif_analyzer_cache_bytes 8192.0",
    ):
        assert line in page
    assert reason(open_gateway(metrics=False).get("/metrics")) == (404, "UNKNOWN_PATH")


def test_metrics_page_keeps_nobody_waiting(open_gateway: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    client, going, go = open_gateway(), threading.Event(), threading.Event()

    def slowly(registry: object) -> bytes:
        going.set()
        assert go.wait(60)
        return b"done"

    monkeypatch.setattr("prometheus_client.generate_latest", slowly)
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(httpx.get, client.base_url.join("/metrics"), timeout=60, trust_env=False)
        assert going.wait(60)
        meanwhile = client.get("/health/live")
        go.set()

        assert meanwhile.status_code == 200
        assert page.result().text == "done"


def test_clients_cannot_add_time_series(open_gateway: Open, caplog: Log) -> None:
    client = open_gateway()

    with caplog.at_level(logging.INFO):
        for number in range(10):
            client.request(f"M{number}", f"/v1/none/{number}")
            client.request(f"M{number}", "/health/live")
            client.get(f"/static/{number}")

    lines = [line for line in client.get("/metrics").text.splitlines() if "requests_total{" in line]
    assert sorted(lines) == [
        'gif_analyzer_http_requests_total{method="GET",route="/static/{path:path}",status="404"} 10.0',
        'gif_analyzer_http_requests_total{method="OTHER",route="",status="404"} 10.0',
        'gif_analyzer_http_requests_total{method="OTHER",route="/health/live",status="405"} 10.0',
    ]
    logged = [record for record in caplog.records if record.name == "gateway.rest.observer"]
    assert {vars(record)["method"] for record in logged} == {"OTHER", "GET"}


def test_unexpected_error_is_logged(open_gateway: Open, pipeline: Pipeline, gif: bytes, caplog: Log) -> None:
    def broken(content: bytes) -> Clip:
        raise RuntimeError("a secret of the server")

    client = open_gateway(over=Pipeline(broken, pipeline.classify, pipeline.describe, pipeline.check))

    answer = send(client, gif)

    assert reason(answer) == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert "a secret of the server" in caplog.text
    assert answer.json()["request_id"] in {getattr(record, "request_id", "") for record in caplog.records}


def test_client_that_disconnects_is_no_error(open_gateway: Open, caplog: Log) -> None:
    client = open_gateway()
    host, port = client.base_url.host, client.base_url.port
    assert port is not None

    head = b"POST /v1/identify HTTP/1.1\r\nHost: x\r\nContent-Type: image/gif\r\nContent-Length: 999\r\n\r\n"

    with caplog.at_level(logging.INFO):
        with socket.create_connection((host, port)) as connection:
            connection.sendall(head + b"GIF")
        end = time.monotonic() + 60
        while not any(r.name == "gateway.rest.observer" for r in caplog.records) and time.monotonic() < end:
            time.sleep(0.01)

    statuses = [vars(record)["status"] for record in caplog.records if record.name == "gateway.rest.observer"]
    assert statuses == [499]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_an_application_works_without_a_server(pipeline: Pipeline, gif: bytes) -> None:
    """As in AWS Lambda: each request on an event loop of its own."""

    app = create_app(pipeline, no_fetch, settings=RestSettings(metrics=False))

    async def ask() -> AsyncIterator[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            answer = await client.post("/v1/identify", content=gif, headers={"Content-Type": "image/gif"})
            yield answer.status_code

    async def first() -> int:
        return await anext(ask())

    assert [asyncio.run(first()) for _ in range(3)] == [200, 200, 200]
