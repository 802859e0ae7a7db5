"""/v1/library over real HTTP: GIFs that are taught and forgotten, thumbnails, and what is refused."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from gateway.library import ServedLibrary
from gateway.pipeline import Pipeline, local
from gateway.rest.app import create_app
from gateway.settings import RestSettings
from services.clip import Clip
from services.errors import AddressRefused
from services.inference import Classifier
from services.inference.library import Library
from tests.support.library import save_teaching_model
from tests.support.serving import Served

Serve = Callable[[FastAPI], Served]
SaveGif = Callable[..., Path]
KEY = {"X-API-Key": "key"}
MAGENTA = {"show": "Magenta Show"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the library is."""
    return tmp_path / "my.library"


@pytest.fixture
def open_client(
    model_path: Path, path: Path, gif: bytes, serve_app: Serve
) -> Iterator[Callable[..., httpx.Client]]:
    """A function that serves a gateway with a library, and returns a client of it."""
    clients: list[httpx.Client] = []

    async def fetch(url: str) -> bytes:
        if "refused" in url:
            raise AddressRefused("10.0.0.1", "it is not on the public internet (private)")
        return gif

    def start(*, teach: bool = True, keep_thumbnails: bool = False, **settings: Any) -> httpx.Client:
        teacher = Classifier(model_path) if teach else None
        library = ServedLibrary(path, teacher=teacher, keep_thumbnails=keep_thumbnails)
        rest = RestSettings(api_keys=("key",), **settings)
        app = create_app(local(model_path, library=path), fetch, settings=rest, library=library)
        clients.append(httpx.Client(base_url=serve_app(app).url, timeout=60, trust_env=False, headers=KEY))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture
def client(open_client: Callable[..., httpx.Client]) -> httpx.Client:
    """A client of a gateway that can be taught and keeps thumbnails."""
    return open_client(keep_thumbnails=True)


def send(gif: bytes, name: str = "red.gif") -> dict[str, Any]:
    return {"files": {"file": (name, gif)}}


def reason(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["reason"]


def shows(client: httpx.Client) -> dict[str, int]:
    answer = client.get("/v1/library").json()
    found = {each["show"]: each["clip_count"] for each in answer["shows"]}
    assert answer["clip_count"] == sum(found.values())
    return found


def test_a_gif_that_was_taught_is_found_at_once_and_forgotten_at_once(
    client: httpx.Client, gif: bytes
) -> None:
    before = client.post("/v1/identify", **send(gif)).json()
    taught = client.post("/v1/library", params=MAGENTA, **send(gif))
    after = client.post("/v1/identify", **send(gif)).json()
    forgotten = client.delete("/v1/library", params={"name": "red.gif"})
    again = client.post("/v1/identify", **send(gif)).json()

    assert (taught.status_code, taught.json()) == (
        201,
        {"name": "red.gif", "show": "Magenta Show", "clip_count": 1},
    )
    assert forgotten.json() == {"name": "red.gif", "show": "Magenta Show", "clip_count": 0}
    assert [len(answer["matches"]) for answer in (before, after, again)] == [0, 1, 0]
    assert (after["matches"][0]["show"], after["matches"][0]["name"]) == ("Magenta Show", "red.gif")
    assert after["neighbours"][0]["similarity"] > 0.99


def test_a_show_that_was_taught_is_ranked_first(
    path: Path, tmp_path: Path, serve_app: Serve, save_gif: SaveGif
) -> None:
    async def fetch(url: str) -> bytes:
        raise AssertionError

    model = save_teaching_model(tmp_path / "teaching.onnx")
    library = ServedLibrary(path, teacher=Classifier(model))
    settings = RestSettings(api_keys=("key",))
    app = create_app(local(model, library=path), fetch, settings=settings, library=library)
    yellow = save_gif("yellow.gif", "yellow").read_bytes()

    with httpx.Client(base_url=serve_app(app).url, headers=KEY, trust_env=False, timeout=60) as client:
        before = client.post("/v1/identify", **send(yellow)).json()
        client.post("/v1/library", params={"show": "Yellow Show"}, **send(yellow))
        after = client.post("/v1/identify", **send(yellow)).json()
        named = client.get("/v1/shows").json()["shows"]

    assert "Yellow Show" not in {each["show"] for each in before["shows"]}
    assert after["shows"][0]["show"] == "Yellow Show"
    assert named[-1] == "Yellow Show"


def test_the_library_lists_its_shows(client: httpx.Client, gif: bytes, save_gif: SaveGif) -> None:
    assert client.get("/v1/library").json() == {
        "clip_count": 0,
        "shows": [],
        "writable": True,
        "thumbnails": False,
        "keeps_thumbnails": True,
    }

    client.post("/v1/library", params=MAGENTA, **send(gif))
    client.post("/v1/library", params=MAGENTA, **send(save_gif("b.gif", "lime").read_bytes(), "b.gif"))
    client.post("/v1/library", params={"show": "Other"}, **send(save_gif("c.gif", "blue").read_bytes(), "c"))

    assert shows(client) == {"Magenta Show": 2, "Other": 1}
    assert client.get("/v1/library").json()["thumbnails"] is True


@pytest.mark.parametrize(
    ("request_of", "name"),
    [
        (lambda gif: send(gif, "some.gif"), "some.gif"),
        (lambda gif: send(gif, "a/../b \N{SNOWMAN}.gif"), "a/../b \N{SNOWMAN}.gif"),
        (lambda gif: {"content": gif, "headers": {"Content-Type": "image/gif"}}, None),
        (lambda gif: {"json": {"url": "https://me:pw@a.example/b.gif?key=1"}}, "https://a.example/b.gif"),
        (lambda gif: {"params": {**MAGENTA, "name": "mine"}, **send(gif)}, "mine"),
    ],
    ids=["file", "odd file", "bytes", "address", "given"],
)
def test_names_of_taught_gifs(
    client: httpx.Client, gif: bytes, request_of: Callable[[bytes], dict[str, Any]], name: str | None
) -> None:
    taught = client.post("/v1/library", **{"params": MAGENTA, **request_of(gif)})

    assert taught.json()["name"] == (name or hashlib.sha256(gif).hexdigest()[:8])
    assert client.get("/v1/library/thumbnail", params={"name": taught.json()["name"]}).status_code == 200


def test_another_gif_of_a_name_gets_a_name_of_its_own_and_the_same_gif_is_replaced(
    client: httpx.Client, gif: bytes, save_gif: SaveGif, path: Path
) -> None:
    green = save_gif("green.gif", "lime").read_bytes()

    first = client.post("/v1/library", params={"show": "Magneta Show"}, **send(gif, "a.gif"))
    corrected = client.post("/v1/library", params=MAGENTA, **send(gif, "a.gif"))
    others = [client.post("/v1/library", params=MAGENTA, **send(green, "a.gif")) for _ in range(2)]

    own = f"a-{hashlib.sha256(green).hexdigest()[:8]}.gif"
    assert [answer.json()["name"] for answer in (first, corrected, *others)] == ["a.gif", "a.gif", own, own]
    assert shows(client) == {"Magenta Show": 2}
    assert [clip.name for clip in Library(path).clips()] == ["a.gif", own]


def test_titles_are_trimmed(client: httpx.Client, gif: bytes) -> None:
    taught = client.post("/v1/library", params={"show": "  The \N{NO-BREAK SPACE} Office "}, **send(gif))

    assert taught.json()["show"] == "The Office"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (400, "INVALID_REQUEST")),
        ({"show": " "}, (400, "INVALID_ARGUMENT")),
        ({"show": "x" * 251}, (400, "INVALID_ARGUMENT")),
        ({"show": "a\x1b[2J"}, (400, "INVALID_ARGUMENT")),
        ({"show": "A", "name": "x" * 251}, (400, "INVALID_ARGUMENT")),
        ({"show": "A", "name": "a\x00b"}, (400, "INVALID_ARGUMENT")),
        ({"show": "A", "shows": "b"}, (400, "INVALID_REQUEST")),
    ],
)
def test_invalid_titles_and_names(
    client: httpx.Client, gif: bytes, params: dict[str, str], expected: tuple[int, str]
) -> None:
    assert reason(client.post("/v1/library", params=params, **send(gif))) == expected
    assert shows(client) == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (send(b"<html>"), (422, "NOT_A_GIF")),
        (send(b"GIF89a"), (422, "CORRUPT_GIF")),
        (send(bytes(200_000)), (413, "REQUEST_TOO_LARGE")),
        ({"json": {"url": "https://refused.example/"}}, (403, "ADDRESS_REFUSED")),
        ({"json": {"url": 7}}, (400, "INVALID_REQUEST")),
        ({"files": {"show": (None, "A")}}, (400, "INVALID_REQUEST")),
        ({}, (415, "UNSUPPORTED_MEDIA")),
    ],
)
def test_a_body_without_a_usable_gif_changes_nothing(
    open_client: Callable[..., httpx.Client], body: dict[str, Any], expected: tuple[int, str], path: Path
) -> None:
    client = open_client(max_body_bytes=100_000)
    before = path.read_bytes()

    assert reason(client.post("/v1/library", params=MAGENTA, **body)) == expected
    assert path.read_bytes() == before


def test_teaching_counts_among_the_requests_in_flight(
    model_path: Path, pipeline: Pipeline, path: Path, gif: bytes, serve_app: Serve
) -> None:
    begun, go = threading.Event(), threading.Event()

    def held(content: bytes) -> Clip:
        begun.set()
        go.wait(60)
        return pipeline.decode(content)

    async def fetch(url: str) -> bytes:
        raise AssertionError

    over = Pipeline(held, pipeline.classify, pipeline.describe, pipeline.check)
    library = ServedLibrary(path, teacher=Classifier(model_path))
    settings = RestSettings(api_keys=("key",), in_flight=1, workers=1)
    app = create_app(over, fetch, settings=settings, library=library)
    with httpx.Client(base_url=serve_app(app).url, headers=KEY, trust_env=False, timeout=60) as client:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(client.post, "/v1/library", params=MAGENTA, **send(gif))
            assert begun.wait(60)
            refused = client.post("/v1/library", params=MAGENTA, **send(gif, "other.gif"))
            listed = client.get("/v1/library")  # which computes nothing, and so waits for nobody
            go.set()

        assert reason(refused) == (429, "OVERLOADED")
        assert listed.json()["clip_count"] == 0
        assert first.result().status_code == 201
        assert shows(client) == {"Magenta Show": 1}


@pytest.mark.parametrize(
    ("method", "where"),
    [
        ("GET", "/v1/library"),
        ("POST", "/v1/library?show=A"),
        ("DELETE", "/v1/library?name=red.gif"),
        ("GET", "/v1/library/thumbnail?name=red.gif"),
    ],
)
def test_every_request_needs_the_key(client: httpx.Client, gif: bytes, method: str, where: str) -> None:
    client.post("/v1/library", params=MAGENTA, **send(gif))

    for key in ("", "wrong"):
        answer = client.request(method, where, headers={"X-API-Key": key})
        assert reason(answer) == (401, "UNAUTHORIZED")
    assert shows(client) == {"Magenta Show": 1}


def test_a_library_that_is_only_read(
    open_client: Callable[..., httpx.Client], gif: bytes, path: Path
) -> None:
    open_client(keep_thumbnails=True).post("/v1/library", params=MAGENTA, **send(gif))
    client = open_client(teach=False)
    before = path.read_bytes()

    assert reason(client.post("/v1/library", params=MAGENTA, **send(gif))) == (403, "LIBRARY_READ_ONLY")
    assert reason(client.delete("/v1/library", params={"name": "red.gif"})) == (403, "LIBRARY_READ_ONLY")
    about = client.get("/v1/library").json()
    assert (about["clip_count"], about["writable"], about["thumbnails"]) == (1, False, True)
    assert about["keeps_thumbnails"] is False
    assert client.get("/v1/library/thumbnail", params={"name": "red.gif"}).status_code == 200
    assert path.read_bytes() == before


def test_a_gateway_without_a_library(pipeline: Pipeline, gif: bytes, serve_app: Serve) -> None:
    async def fetch(url: str) -> bytes:
        raise AssertionError

    with httpx.Client(base_url=serve_app(create_app(pipeline, fetch)).url, trust_env=False) as client:
        about = client.get("/v1/library").json()
        taught = client.post("/v1/library", params=MAGENTA, **send(gif))
        picture = client.get("/v1/library/thumbnail", params={"name": "red.gif"})

    assert about == {
        "clip_count": 0,
        "shows": [],
        "writable": False,
        "thumbnails": False,
        "keeps_thumbnails": False,
    }
    assert reason(taught) == (403, "LIBRARY_READ_ONLY")
    assert reason(picture) == (404, "NOT_IN_LIBRARY")


def test_a_library_without_keys_cannot_be_taught(pipeline: Pipeline, model_path: Path, path: Path) -> None:
    async def fetch(url: str) -> bytes:
        raise AssertionError

    with pytest.raises(ValueError, match="needs API keys"):
        create_app(pipeline, fetch, library=ServedLibrary(path, teacher=Classifier(model_path)))


def test_forgetting_what_the_library_does_not_have(client: httpx.Client, path: Path) -> None:
    before = path.stat().st_mtime_ns

    answer = client.delete("/v1/library", params={"name": "none.gif"})

    assert reason(answer) == (404, "NOT_IN_LIBRARY")
    assert answer.json()["details"] == {"name": "none.gif", "what": "GIF"}
    assert path.stat().st_mtime_ns == before


def test_thumbnails(client: httpx.Client, gif: bytes) -> None:
    client.post("/v1/library", params=MAGENTA, **send(gif))

    picture = client.get("/v1/library/thumbnail", params={"name": "red.gif"})
    held = client.get(
        "/v1/library/thumbnail",
        params={"name": "red.gif"},
        headers={"If-None-Match": picture.headers["ETag"]},
    )
    client.delete("/v1/library", params={"name": "red.gif"})
    gone = client.get("/v1/library/thumbnail", params={"name": "red.gif"})

    assert picture.headers["Content-Type"] == "image/jpeg"
    assert picture.headers["Cache-Control"] == "private, no-cache"
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    with Image.open(io.BytesIO(picture.content)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (139, 104))
    assert (held.status_code, held.content) == (304, b"")
    assert reason(gone) == (404, "NOT_IN_LIBRARY")


@pytest.mark.parametrize(
    "name", ["", "none.gif", "../my.library", "my.library", "/etc/passwd", "..", "\x00", "red.gif/../red.gif"]
)
def test_only_names_of_the_library_have_thumbnails(client: httpx.Client, gif: bytes, name: str) -> None:
    client.post("/v1/library", params=MAGENTA, **send(gif))

    assert reason(client.get("/v1/library/thumbnail", params={"name": name})) == (404, "NOT_IN_LIBRARY")


def test_a_clip_without_a_thumbnail(open_client: Callable[..., httpx.Client], gif: bytes, path: Path) -> None:
    client = open_client()
    client.post("/v1/library", params=MAGENTA, **send(gif))

    answer = client.get("/v1/library/thumbnail", params={"name": "red.gif"})

    assert reason(answer) == (404, "NOT_IN_LIBRARY")
    assert answer.json()["details"]["what"] == "thumbnail"
    assert client.get("/v1/library").json()["thumbnails"] is False
    assert [each.name for each in path.parent.iterdir() if "thumbnail" in each.name] == []


def test_two_gateways_share_a_library(
    open_client: Callable[..., httpx.Client], gif: bytes, save_gif: SaveGif
) -> None:
    first, second = open_client(), open_client()

    first.post("/v1/library", params=MAGENTA, **send(gif))
    second.post("/v1/library", params=MAGENTA, **send(save_gif("b.gif", "lime").read_bytes(), "b.gif"))

    assert shows(first) == shows(second) == {"Magenta Show": 2}
    assert first.delete("/v1/library", params={"name": "b.gif"}).json()["clip_count"] == 1
