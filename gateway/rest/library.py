"""The library of known clips at /v1/library: its shows and thumbnails, and GIFs that users teach it."""

from __future__ import annotations

import dataclasses
import hashlib
import unicodedata
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from gateway.library import ServedLibrary
from gateway.rest import schemas
from gateway.rest.access import AUTHORIZED
from gateway.rest.page import is_held
from gateway.rest.schemas import problems
from gateway.rest.upload import Intake
from services.errors import InvalidArgument, InvalidRequest, LibraryReadOnly, NotInLibrary
from services.names import plain_address

MAX_TEXT = 250  # characters of a title, and of the name of a GIF
OF_CONTROL = ("Cc", "Cs")  # Unicode's categories of control characters, and of halves of characters

Show = Annotated[str, Query(description="Title of the show.", examples=["Big Buck Bunny"])]
NewName = Annotated[
    str, Query(description="Name of the GIF in the library, instead of that of its file or its address.")
]
Name = Annotated[str, Query(description="Name of the GIF in the library.", examples=["meadow.gif"])]


def add_library(app: FastAPI, library: ServedLibrary | None, intake: Intake) -> None:
    """Add the library to an application.

    Args:
        app: the application.
        library: None for a server without one.
        intake: takes the GIFs that are taught.
    """

    def must_be_writable() -> ServedLibrary:
        if library is None or not library.writable:
            raise LibraryReadOnly
        return library

    @app.get(
        "/v1/library",
        operation_id="getLibrary",
        tags=["library"],
        dependencies=AUTHORIZED,
        response_model=schemas.LibraryAnswer,
        responses=problems(*schemas.OF_ANY, *schemas.OF_LIBRARY),
    )
    async def read_library() -> dict[str, object]:
        """List the shows of the library of known clips, with the number of clips of each."""
        shows = {} if library is None else await run_in_threadpool(library.shows)
        return {
            "clip_count": sum(shows.values()),
            "shows": [{"show": show, "clip_count": count} for show, count in shows.items()],
            "writable": library is not None and library.writable,
            "thumbnails": library is not None and library.has_thumbnails,
            "keeps_thumbnails": library is not None and library.writable and library.keeps_thumbnails,
        }

    @app.post(
        "/v1/library",
        operation_id="teachGif",
        tags=["library"],
        dependencies=AUTHORIZED,
        status_code=201,
        response_model=schemas.TaughtAnswer,
        responses=problems(
            *schemas.OF_ANY,
            InvalidArgument("show", expected="1 to 250 characters, and no control characters", found="''"),
            *schemas.OF_BODIES,
            *schemas.OF_GIFS,
            LibraryReadOnly(),
            *schemas.OF_LIBRARY,
        ),
        openapi_extra={"requestBody": schemas.gif_body()},
    )
    async def teach(request: Request, show: Show, name: NewName = "") -> dict[str, object]:
        """Put a GIF that is sent, or the one at an address, into the library as a clip of a show."""
        known, title = must_be_writable(), checked_text("show", " ".join(show.split()))
        upload, gif = await intake.read(request)
        name = name or (plain_address(upload.source) or "" if upload.gif is None else upload.source)
        named = checked_text("name", name) if name else ""
        sha256 = hashlib.sha256(gif).hexdigest()
        taught = await intake.use(gif, lambda clip: known.teach(clip, show=title, name=named, sha256=sha256))
        return dataclasses.asdict(taught)

    @app.delete(
        "/v1/library",
        operation_id="forgetGif",
        tags=["library"],
        dependencies=AUTHORIZED,
        response_model=schemas.TaughtAnswer,
        responses=problems(
            *schemas.OF_ANY,
            InvalidRequest("it lacks the parameter name"),
            NotInLibrary("meadow.gif"),
            LibraryReadOnly(),
            *schemas.OF_LIBRARY,
        ),
    )
    async def forget(name: Name) -> dict[str, object]:
        """Remove a GIF from the library."""
        return dataclasses.asdict(await run_in_threadpool(must_be_writable().forget, name))

    @app.get(
        "/v1/library/thumbnail",
        operation_id="getThumbnail",
        tags=["library"],
        dependencies=AUTHORIZED,
        response_class=Response,
        responses={
            200: {
                "description": "A JPEG file.",
                "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
                "headers": schemas.header("ETag"),
            },
            **schemas.NOT_MODIFIED,
            **problems(
                *schemas.OF_ANY,
                InvalidRequest("it lacks the parameter name"),
                NotInLibrary("meadow.gif", what="thumbnail"),
                *schemas.OF_LIBRARY,
            ),
        },
        openapi_extra=schemas.IF_NONE_MATCH,
    )
    async def read_thumbnail(request: Request, name: Name) -> Response:
        """Return the small picture of a GIF of the library, where one is kept."""
        if library is None:
            raise NotInLibrary(name)
        picture = await run_in_threadpool(library.thumbnail, name)
        etag = f'"{hashlib.sha256(picture).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if is_held(request, etag):
            return Response(status_code=304, headers=headers)
        return Response(picture, media_type="image/jpeg", headers=headers)


def checked_text(field: str, text: str) -> str:
    """Return a title or name as it is.

    Raises:
        InvalidArgument: it is empty or too long, or has control characters.
    """
    if not 0 < len(text) <= MAX_TEXT or any(unicodedata.category(char) in OF_CONTROL for char in text):
        expected = f"1 to {MAX_TEXT} characters, and no control characters"
        raise InvalidArgument(field, expected=expected, found=repr(text)[:80])
    return text
