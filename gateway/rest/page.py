"""Serves the web pages: `/`, `/docs` and their files at `/static/…`, with strict security headers.

The files are small, so they are read once and held in memory. The pages refer to them by names that carry a
digest of them all, so that a browser may keep them for a year and never mixes two versions. A page itself is
requested each time, and answered with an empty 304 if nothing has changed.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response

STATIC = Path(__file__).with_name("static")
PAGES = {"/": "index.html", "/docs": "docs.html"}
DIGITS = 16  # of a digest that a name carries

# The page may contact only its own server; `data:` and `blob:` are the frames and the visitor's own file.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the page's own address may contain that of a GIF
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
REVALIDATE = "no-cache"
KEEP = "public, max-age=31536000, immutable"  # a year
# Browsers check these types, so they do not depend on the tables of the machine.
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class PageFile(NamedTuple):
    """A file as it is sent."""

    content: bytes
    media_type: str
    etag: str  # strong, with its quotation marks


def is_held(request: Request, etag: str) -> bool:
    """Whether If-None-Match says that the client holds this ETag; weak tags count, as in RFC 9110."""
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    return etag in tags or tags == ["*"]


def add_page(app: FastAPI) -> None:
    """Add the pages and their files to an application."""
    files, version = read_static()

    def page(name: str) -> Callable[[Request], Response]:
        def send(request: Request) -> Response:
            return _send(files[name], request, REVALIDATE)

        return send

    def static(path: str, request: Request) -> Response:
        name = path.removeprefix(f"{version}/")
        if name not in files or name in PAGES.values():
            raise HTTPException(404, "the page has no such file")
        return _send(files[name], request, REVALIDATE if name == path else KEEP)

    endpoints: dict[str, Callable[..., Response]] = {path: page(name) for path, name in PAGES.items()}
    for path, endpoint in {**endpoints, "/static/{path:path}": static}.items():
        app.add_api_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)


def read_static(folder: Path = STATIC) -> tuple[dict[str, PageFile], str]:
    """Return the pages' files by name, and the version of them all, which the pages' own text contains."""
    contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    version = _digest(b"".join(name.encode() + content for name, content in contents.items()))
    for page in PAGES.values():
        contents[page] = contents[page].replace(b'="static/', f'="static/{version}/'.encode())
    files = {
        name: PageFile(content, _media_type(name), f'"{_digest(content)}"')
        for name, content in contents.items()
    }
    return files, version


def _send(file: PageFile, request: Request, caching: str) -> Response:
    headers = {**HEADERS, "ETag": file.etag, "Cache-Control": caching}
    if is_held(request, file.etag):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def _media_type(name: str) -> str:
    return MEDIA_TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
