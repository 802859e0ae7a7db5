"""The files of the page: headers, names, and what they must not contain."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from mangum import Mangum

from delivery.request import Request, from_result, to_event
from gateway.rest.page import STATIC, add_page, read_static

NAMES = sorted(path.name for path in STATIC.iterdir())
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI(docs_url=None)
    add_page(app)
    return app


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_only_files_of_its_own_server(client: TestClient, path: str) -> None:
    page = client.get(path)

    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", page.text) == []
    named = re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
    assert len(named) >= 4
    for name in named:
        answer = client.get(f"/{name}")
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("module", [name for name in NAMES if name.endswith(".js")])
def test_every_module_that_a_module_names_is_there(module: str) -> None:
    text = (STATIC / module).read_text("utf-8")

    named = re.findall(r'from "\./([^"]+)"|new URL\("([^"/]+\.\w+)", import', text)

    assert {name for names in named for name in names if name} <= set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(".html")])
def test_a_file_is_sent_as_what_it_is(client: TestClient, name: str) -> None:
    answer = client.get(f"/static/{name}")

    assert answer.status_code == 200
    assert answer.content == (STATIC / name).read_bytes()
    assert answer.headers["Content-Type"] == MEDIA_TYPES[Path(name).suffix]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"  # its name would stay when its content changes


@pytest.mark.parametrize("path", ["/", "/static/page.js"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_known_file_gives_304(client: TestClient, path: str, form: str) -> None:
    etag = client.get(path).headers["ETag"]

    answer = client.get(path, headers={"If-None-Match": form.format(etag)})

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["ETag"] == etag
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/index.html",
        "/static/docs.html",
        "/static/none.js",
        "/static/../page.py",
        "/static/%2e%2e/page.py",
        "/static/..%2fpage.py",
        "/static//etc/passwd",
    ],
)
def test_nothing_else_is_there(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_changed_content_has_another_name(tmp_path: Path) -> None:
    shutil.copytree(STATIC, tmp_path / "static")
    page = tmp_path / "static" / "page.css"
    page.write_text(page.read_text("utf-8") + "\n", "utf-8")

    files, version = read_static()
    changed_files, changed_version = read_static(tmp_path / "static")

    assert changed_version != version
    assert changed_files["page.css"].etag != files["page.css"].etag
    assert changed_files["logo.svg"].etag == files["logo.svg"].etag
    assert f'"static/{changed_version}/page.css"'.encode() in changed_files["index.html"].content


def test_page_is_not_in_the_openapi_document(app: FastAPI) -> None:
    assert app.openapi()["paths"] == {}


@pytest.mark.parametrize(
    ("path", "name"), [("/static/example.gif", "example.gif"), ("/static/page.js", "page.js")]
)
def test_a_function_in_lambda_sends_the_same(app: FastAPI, path: str, name: str) -> None:
    answer = from_result(Mangum(app, lifespan="off")(to_event(Request("GET", path)), {}))

    assert (answer.status, answer.body) == (200, (STATIC / name).read_bytes())


def test_the_page_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in STATIC.iterdir()}

    assert sizes["example.gif"] < 110_000
    assert sum(size for name, size in sizes.items() if name != "example.gif") < 86_000
