"""A server with Giphy's search API and its files, which fails on demand.

Its answers have the form of the real ones, with sizes as strings. It records every request and every complete
answer, so that tests can check that nothing was requested twice.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "beta-key-0123456789abcdef"
LAST_OFFSET = 4999


@dataclass(frozen=True)
class Item:
    """One GIF of the library."""

    id: str
    gif: bytes
    title: str = "A scene"
    username: str = ""
    type: str = "gif"
    rendition: str = "fixed_height"
    original_bytes: int = 0  # that the page states; 0 for the true size


@dataclass
class Library:
    """What the server holds, its faults, and the requests it received."""

    results: dict[str, list[Item]] = field(default_factory=dict)  # of each query, in order; items may repeat
    # of "search QUERY OFFSET" or "file ID", one for each request
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    pagination: bool = True  # whether pages have that block
    quota: int = 1000  # requests until 429
    headers: dict[str, str] = field(default_factory=dict)  # of every answer of the API
    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    parameters: list[dict[str, str]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    address: str = ""

    def twice(self) -> dict[str, int]:
        """Requests that were answered completely more than once."""
        return {name: times for name, times in Counter(self.answered).items() if times > 1}

    def item(self, id_: str) -> Item | None:
        return next((each for items in self.results.values() for each in items if each.id == id_), None)


def result(item: Item, address: str) -> dict[str, Any]:
    """The entry of one GIF on a page."""
    own = {
        "height": "200",
        "width": "267",
        "size": str(len(item.gif)),
        "url": f"{address}/media/{item.id}/200.gif?cid={KEY[:8]}&ep=v1_gifs_search&rid=200.gif&ct=g",
        "mp4": f"{address}/media/{item.id}/200.mp4",
        "mp4_size": "1000",
        "webp": f"{address}/media/{item.id}/200.webp",
        "webp_size": "1000",
    }
    original = {
        **own,
        "size": str(item.original_bytes or len(item.gif)),
        "url": f"{address}/media/{item.id}/giphy.gif?cid={KEY[:8]}",
        "frames": "6",
        "hash": "0" * 32,
    }
    renditions = {"original": original, "fixed_height_still": {**own, "url": f"{address}/still.gif"}}
    if item.rendition != "original":
        renditions[item.rendition] = own
    user = {"username": item.username, "display_name": item.username.title(), "is_verified": True}
    return {
        "type": item.type,
        "id": item.id,
        "url": f"https://giphy.com/gifs/{item.id}",
        "username": item.username,
        "title": item.title,
        "rating": "pg-13",
        "is_sticker": int(item.type == "sticker"),
        "images": renditions,
        **({"user": user} if item.username else {}),
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    library: Library

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        library = self.library
        if parts.path == "/v1/gifs/search":
            name = f"search {parameters.get('q')} {parameters.get('offset')}"
        else:
            name = f"file {parts.path.split('/')[2] if parts.path.count('/') > 2 else parts.path}"
        with library.lock:
            library.asked.append(name)
            library.addresses.append(self.path)
            fault = library.faults[name].pop(0) if library.faults.get(name) else ""
        with contextlib.suppress(ConnectionError):
            if name.startswith("search"):
                self._search(name, parameters, fault)
            else:
                self._file(name, fault)

    def _search(self, name: str, parameters: dict[str, str], fault: str) -> None:
        library = self.library
        answer: dict[str, Any]
        with library.lock:
            library.parameters.append(parameters)
            library.quota -= 1
            left = library.quota
        if parameters.get("api_key") != KEY:
            said = f"Unauthorized: {parameters.get('api_key')} is no key"
            self._answer_json(name, 401, {"data": [], "meta": _meta(401, said)})
        elif left < 0 or fault in ("429", "429 bare"):
            headers = {"Retry-After": "1"} if fault == "429" else {}
            # The gateway before the real one answers without any meta.
            self._answer_json(name, 429, {"message": "API rate limit exceeded"}, headers, full=False)
        elif fault == "403":
            self._answer_json(name, 403, {"data": [], "meta": _meta(403, "BANNED")})
        elif fault == "500":
            self._answer_json(name, 500, {"data": [], "meta": _meta(500, "oops")}, full=False)
        elif fault == "429 in 200":
            self._answer_json(name, 200, {"data": [], "meta": _meta(429, "Too Many Requests")}, full=False)
        elif fault.startswith("empty"):
            answer = {
                "data": [],
                "pagination": {"total_count": 100, "count": 0, "offset": 0},
                "meta": _meta(200, "OK"),
            }
            if fault == "empty no pagination":
                del answer["pagination"]
            if fault == "empty no id":
                answer["pagination"] = {"total_count": 0, "count": 0, "offset": 0}
                answer["meta"] = {**_meta(200, "OK"), "response_id": ""}
            self._answer_json(name, 200, answer, full=False)
        elif fault == "no json":
            self._answer(name, 200, b"<html>busy</html>", full=False)
        else:
            offset, limit = int(parameters["offset"]), min(int(parameters["limit"]), 50)
            items = library.results.get(parameters["q"], [])
            page = items[offset : offset + limit] if offset + limit <= LAST_OFFSET else []
            answer = {"data": [result(item, library.address) for item in page]}
            if library.pagination:
                answer["pagination"] = {"total_count": len(items), "count": len(page), "offset": offset}
            answer["meta"] = _meta(200, "OK")
            self._answer_json(name, 200, answer, library.headers, fault=fault)

    def _file(self, name: str, fault: str) -> None:
        item = self.library.item(name.removeprefix("file "))
        if item is None or fault == "404":
            self._answer(name, 404, b"gone")
        elif fault == "500":
            self._answer(name, 500, b"", full=False)
        elif fault == "html":
            self._answer(name, 200, b"<!doctype html><html>a page about the GIF</html>")
        else:
            self._answer(name, 200, item.gif, {"Content-Type": "image/gif"}, fault=fault)

    def _answer_json(
        self,
        name: str,
        status: int,
        values: object,
        headers: dict[str, str] | None = None,
        *,
        fault: str = "",
        full: bool = True,
    ) -> None:
        headers = {"Content-Type": "application/json", **(headers or {})}
        self._answer(name, status, json.dumps(values).encode(), headers, fault=fault, full=full)

    def _answer(
        self,
        name: str,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        fault: str = "",
        full: bool = True,
    ) -> None:
        """Answer; `full` says whether this answers the request, rather than reporting a temporary failure."""
        if fault == "hang":
            self._hang()
            return
        if fault == "slow":
            time.sleep(1.5)
        self.send_response(status)
        for header, value in (headers or {}).items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault in ("cut", "hang half"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if fault == "hang half":
                self._hang()
            self.close_connection = True
            return
        if full:
            with self.library.lock:  # before the last byte, after which the client may already have ended
                self.library.answered.append(name)
        self.wfile.write(body)
        self.wfile.flush()

    def _hang(self) -> None:
        """Keep the client waiting until it disconnects."""
        self.library.hanging.set()
        self.connection.settimeout(60)
        with contextlib.suppress(OSError):
            self.connection.recv(1)
        self.close_connection = True


def _meta(status: int, message: str) -> dict[str, object]:
    return {"status": status, "msg": message, "response_id": "5f3c0e"}


@contextlib.contextmanager
def serving(library: Library) -> Iterator[Library]:
    """Serve a library on a free port; its address is in `library.address`."""
    handler = type("Handler", (_Handler,), {"library": library})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    library.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield library
    finally:
        server.shutdown()
        server.server_close()
