"""Connections over real sockets: slow senders, early answers, too many at once, and what is not HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Response

from gateway.pipeline import Pipeline
from gateway.rest import server as rest_server
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from services.errors import FetchTimeout
from tests.support.serving import Served

Serve = Callable[[FastAPI], Served]
Open = Callable[..., int]
Connect = Callable[[int, bytes], socket.socket]

IMAGE = {"Content-Type": "image/gif"}
# Beginnings of bodies that never end, in each form.
SLOW = (
    b"Content-Type: image/gif\r\nContent-Length: 1000\r\n\r\nG",
    b"Content-Type: image/gif\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nG\r\n",
    b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b\r\n",
)


@pytest.fixture
def open_gateway(pipeline: Pipeline, serve_app: Serve) -> Iterator[Open]:
    """A function that serves a gateway with these settings, to which no address answers; returns its port."""
    ended = threading.Event()

    async def fetch(url: str) -> bytes:
        while not ended.is_set():
            await asyncio.sleep(0.01)
        raise FetchTimeout("giphy.com", timeout_s=20)

    def start(**settings: Any) -> int:
        served = serve_app(create_app(pipeline, fetch, settings=RestSettings(**settings)))
        return int(served.url.rpartition(":")[2])

    yield start
    ended.set()


@pytest.fixture
def connect() -> Iterator[Callable[[int, bytes], socket.socket]]:
    """A function that connects to a port and sends some bytes; all is closed when the test ends."""
    with contextlib.ExitStack() as opened:

        def start(port: int, content: bytes = b"") -> socket.socket:
            made = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            made.sendall(content)
            return made

        yield start


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    """Ask as http.client does: it sends all, and only then reads. Returns status and JSON."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(client):
        client.request(method, path, body, headers)
        answer = client.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None


def upload(port: int, gif: bytes) -> int:
    return ask(port, "POST", "/v1/identify", gif, **IMAGE)[0]


def head(tail: bytes, method: bytes = b"POST", path: bytes = b"/v1/identify") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n" + tail


def hold(connect: Connect, port: int) -> socket.socket:
    """A connection whose body is waited for, as its server has said."""
    wait = b"Content-Type: image/gif\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
    made = connect(port, head(wait))
    assert made.recv(100).startswith(b"HTTP/1.1 100")
    return made


def whole(made: socket.socket) -> bytes:
    """All that comes until the other side closes; a reset ends it too."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := made.recv(65_536):
            received += part
    return received


def answer_of(made: socket.socket) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(made)
    response.begin()
    return response


# Slow senders


def test_endless_bodies_block_nobody(open_gateway: Open, connect: Connect, gif: bytes) -> None:
    port = open_gateway(in_flight=2)
    held = [connect(port, head(SLOW[number % len(SLOW)])) for number in range(64)]

    assert [upload(port, gif) for _ in range(3)] == [200, 200, 200]
    assert ask(port, "GET", "/v1/shows")[0] == 200
    assert len(held) == 64


def test_each_endless_body_gets_an_error(open_gateway: Open, connect: Connect, gif: bytes) -> None:
    port = open_gateway(body_s=1)

    for made in [connect(port, head(slow)) for slow in SLOW]:
        answer = answer_of(made)
        problem = json.loads(answer.read())
        assert (answer.status, problem["reason"]) == (408, "REQUEST_TOO_SLOW")
        assert answer.getheader("Connection") == "close"
    assert upload(port, gif) == 200


def test_slow_addresses_do_not_block_files(open_gateway: Open, gif: bytes) -> None:
    port = open_gateway(in_flight=2, fetches=3)
    address = "/v1/identify?url=http://giphy.com/slow.gif"
    clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(3)]
    for client in clients:
        client.request("GET", address)

    statuses = [ask(port, "GET", address)[0] for _ in range(2)]  # the fourth is one too many

    assert statuses == [429, 429]
    assert upload(port, gif) == 200
    for client in clients:
        client.close()


def test_endless_head_is_closed(
    open_gateway: Open, connect: Connect, gif: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_server, "PATIENCE_S", 1)
    port = open_gateway()
    used = connect(port, head(b"\r\n", b"GET", b"/health/live"))
    answer_of(used).read()
    used.sendall(b"GET /health")

    for silent in (connect(port, b""), connect(port, head(b"")), used):
        assert whole(silent) == b""
    assert upload(port, gif) == 200


def test_client_that_does_not_read_is_closed(
    connect: Connect, serve_app: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_server, "PATIENCE_S", 1)
    app = FastAPI()
    app.state.settings = RestSettings()
    ended = threading.Event()

    @app.get("/")
    async def read() -> Response:
        return Response(bytes(50_000_000))

    async def told(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        ended.set()

    told.state = app.state  # type: ignore[attr-defined]
    port = int(serve_app(told).url.rpartition(":")[2])  # type: ignore[arg-type]
    made = connect(port, head(b"\r\n", b"GET", b"/"))

    assert ended.wait(60)
    assert len(whole(made)) < 50_000_000


# Early answers


@pytest.mark.parametrize("length", [1_001, 3_000_000, 30_000_000])
def test_client_that_still_sends_gets_413(open_gateway: Open, length: int) -> None:
    port, body = open_gateway(max_body_bytes=1_000), bytes(length)

    for _ in range(3):
        status, problem = ask(port, "POST", "/v1/identify", body, **IMAGE)
        assert (status, problem["reason"]) == (413, "REQUEST_TOO_LARGE")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/identify", body, IMAGE)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(urllib.error.HTTPError) as told, contextlib.closing(opener):
            opener.open(request, timeout=60)
        assert told.value.code == 413
        told.value.close()


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/v1/none", {"X-API-Key": "key"}, 404),
        ("/v1/shows", {"X-API-Key": "key"}, 405),
        ("/v1/identify", {}, 401),
        ("/v1/identify", {"X-API-Key": "key", "Content-Type": "text/plain"}, 415),
    ],
)
def test_early_answer_arrives(
    open_gateway: Open, gif: bytes, path: str, headers: dict[str, str], expected: int
) -> None:
    port = open_gateway(api_keys=("key",))
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    for _ in range(2):  # on the same connection: what was not read does not stand before the next request
        client.request("POST", path, bytes(5_000_000), headers)
        answer = client.getresponse()
        assert (answer.status, answer.read()[:1]) == (expected, b"{")
    client.request("POST", "/v1/identify", gif, {**IMAGE, "X-API-Key": "key"})
    assert client.getresponse().status == 200
    client.close()


def test_body_after_its_answer_is_cut(
    open_gateway: Open, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_server, "PATIENCE_S", 1)
    port = open_gateway()
    for path in (b"/v1/none", b"/v1/identify"):  # answered on an open connection, and on one that closes
        length = b"Content-Type: image/gif\r\nContent-Length: 99999999999\r\n\r\n"
        made = connect(port, head(length, path=path))
        answer_of(made).read()

        with pytest.raises(OSError):  # reset, or closed before
            while True:
                made.sendall(bytes(65_536))


# Too many at once


def test_longest_idle_connection_is_closed(open_gateway: Open) -> None:
    port = open_gateway(connections=3)
    clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(4)]
    for client in clients:
        client.request("GET", "/health/live")
        assert client.getresponse().read()

    first, *others = clients
    assert first.sock.recv(1) == b""
    for client in others:
        client.request("GET", "/health/live")
        assert client.getresponse().read()
    for client in clients:
        client.close()


def test_busy_server_answers_health_and_refuses_bodies(
    open_gateway: Open, connect: Connect, gif: bytes
) -> None:
    port = open_gateway(connections=3)
    held = [hold(connect, port) for _ in range(3)]

    status, problem = ask(port, "POST", "/v1/identify", gif, **IMAGE)
    asked = answer_of(connect(port, head(b"\r\n", b"GET", b"/health/live")))

    assert (status, problem["reason"]) == (429, "OVERLOADED")
    assert (asked.status, asked.getheader("Connection")) == (200, "close")
    held[0].close()
    end = 600
    while upload(port, gif) != 200 and end:  # until it is seen that one has gone
        end -= 1
    assert end


def test_connections_beyond_the_spare_ones_are_closed(
    open_gateway: Open, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_server, "SPARE", 1)
    port = open_gateway(connections=1)
    hold(connect, port)
    silent = connect(port, b"")  # the one that would be told so

    assert whole(connect(port, b"")) == b""
    silent.sendall(head(b"\r\n", b"GET", b"/health/live"))
    assert answer_of(silent).status == 200


def test_keep_alive_time(open_gateway: Open) -> None:
    port = open_gateway(keep_alive_s=1)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.request("GET", "/health/live")
    client.getresponse().read()

    assert client.sock.recv(1) == b""
    client.close()


# Requests that are not HTTP, or that a proxy may read in another way


def test_request_with_two_lengths_is_refused_and_its_connection_closed(
    open_gateway: Open, connect: Connect
) -> None:
    both = b"Content-Type: image/gif\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    made = connect(open_gateway(), head(both) + smuggled)
    made.shutdown(socket.SHUT_WR)

    received = whole(made)

    assert received.startswith(b"HTTP/1.1 400")
    assert b"both Transfer-Encoding and Content-Length" in received
    assert b"connection: close" in received.lower()
    assert received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GIF89a\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n\r\n",
        head(b"\r\n", b"GET", b"/" + b"a" * 1_000_000),
        head(b"X-Long: " + b"a" * 1_000_000 + b"\r\n\r\n"),
        head(b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n"),
        head(b"Content-Length: one\r\n\r\n"),
        head(b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nG"),
        head(b"Content-Type: image/gif\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ],
    ids=["TLS", "a GIF", "no Host", "path", "header", "5000 digits", "no number", "two lengths", "chunk"],
)
def test_request_that_is_not_http(open_gateway: Open, connect: Connect, sent: bytes) -> None:
    answer = answer_of(connect(open_gateway(), sent))

    problem = json.loads(answer.read())
    assert (answer.status, answer.getheader("Content-Type")) == (400, "application/problem+json")
    assert problem["reason"] == "INVALID_REQUEST"
