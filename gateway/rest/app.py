"""The HTTP door: **a pipeline, a way to fetch** -> `create_app` -> REST at /v1, health, metrics, the page.

request ──upload or fetch──▶ GIF bytes ──identifier──▶ Prediction ──answer──▶ JSON
                  └──────────────── AnalyzerError ────────────────▶ problem+json
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from gateway.answer import prediction_json
from gateway.pipeline import Pipeline
from gateway.rest.etag import is_held
from gateway.rest.identifier import Identified, Identifier
from gateway.rest.keys import HEADER, check_key
from gateway.rest.limits import BodyLimit, Gate
from gateway.rest.observer import REQUEST_ID, Observer
from gateway.rest.page import add_page
from gateway.rest.parameters import check_parameters
from gateway.rest.problem import add_problems
from gateway.rest.schemas import (
    OF_ADDRESSES,
    OF_BODIES,
    OF_GIFS,
    OF_KEYS,
    OF_NAMES,
    OF_SERVICES,
    OF_VALUES,
    Health,
    Identification,
    ModelAnswer,
    ShowsAnswer,
    complete,
    gif_body,
    problems,
)
from gateway.rest.settings import RestSettings
from gateway.rest.upload import read_upload
from services.errors import InvalidRequest, ServiceUnavailable
from services.workers import Workers

VERSION = "1"
DESCRIPTION = "Tells which TV show an animated GIF came from."

Fetch = Callable[[str], Awaitable[bytes]]
TopK = Annotated[int, Query(ge=1, le=1000, description="How many shows to name.")]
Pictures = Annotated[bool, Query(description="Whether the frames are wanted, as JPEG files in base64.")]
Exact = Annotated[
    bool,
    Query(
        description="Whether all frames are looked at even where the gateway would stop early;"
        " with pictures they always are."
    ),
]
Url = Annotated[
    str,
    Query(
        description="Address of the GIF, or of its page at giphy.com or tenor.com.",
        examples=["https://media.giphy.com/media/yAqdjThdDEMF2/giphy.gif"],
    ),
]


def create_app(pipeline: Pipeline, fetch: Fetch, *, settings: RestSettings = RestSettings()) -> FastAPI:  # noqa: B008 - a frozen value
    """Make the application.

    Args:
        pipeline: both steps, wherever they compute.
        fetch: address -> bytes; raises `FetchError` and `GifTooLarge`.
        settings: limits, keys, origins, metrics.
    """
    app = FastAPI(
        title="GIF Analyzer",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,  # its pages of documentation load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # its redirects name the host that the client claims to ask
    )
    app.state.settings = settings
    app.state.draining = False  # set by whoever runs this, when it was told to end
    identifier = Identifier(
        pipeline, Workers(settings.workers, settings.in_flight), cache_bytes=settings.cache_bytes
    )
    gate = Gate(settings.in_flight)
    _add_identify(app, identifier, fetch, gate, settings)
    _add_model(app, identifier, settings)
    _add_health(app, pipeline)
    add_page(app)
    add_problems(app)
    record = None
    if settings.metrics:
        from gateway.rest.metrics import MEDIA_TYPE, Metrics  # noqa: PLC0415 - not there in AWS Lambda

        metrics = Metrics(in_flight=lambda: gate.inside, cache_bytes=lambda: identifier.cache_size_bytes)
        record = metrics.record

        @app.get("/metrics", include_in_schema=False)
        async def read_metrics() -> Response:
            return Response(metrics.page(), media_type=MEDIA_TYPE)

    # The one added last stands outermost.
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(Observer, record=record)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", HEADER, REQUEST_ID],
            expose_headers=["ETag", "Retry-After", REQUEST_ID],
        )
    _describe(app, settings)
    return app


def _add_identify(
    app: FastAPI, identifier: Identifier, fetch: Fetch, gate: Gate, settings: RestSettings
) -> None:
    authorized = _authorization(settings)
    fetching = Gate(settings.fetches)

    async def fetched(url: str) -> bytes:
        with fetching.enter():
            return await fetch(url)

    async def answer(request: Request, source: str, gif: bytes, **asked: Any) -> Response:
        with gate.enter():  # only now: whoever sends slowly, or names a slow host, keeps nobody out
            found = await identifier.identify(gif, **asked)
        request.state.kept = found.kept
        headers = {"ETag": found.etag, "Cache-Control": "private, no-cache"}
        if request.method == "GET" and is_held(request, found.etag):
            return Response(status_code=304, headers=headers)
        return JSONResponse(_identification(source, found), headers=headers)

    @app.post(
        "/v1/identify",
        dependencies=authorized,
        response_model=Identification,
        responses=problems(OF_NAMES, *OF_VALUES, *OF_BODIES, *OF_GIFS, *OF_ADDRESSES, *OF_SERVICES, *OF_KEYS),
        openapi_extra={"requestBody": gif_body()},
    )
    async def identify(
        request: Request, top_k: TopK = 5, pictures: Pictures = False, exact: Exact = False
    ) -> Response:
        """Name the show of a GIF that is sent, or of the one at an address."""
        gate.check()  # a body that would be refused anyway is not sent first
        upload = await read_upload(request)
        gif = await fetched(upload.source) if upload.gif is None else upload.gif
        return await answer(request, upload.source, gif, top_k=top_k, pictures=pictures, exact=exact)

    @app.get(
        "/v1/identify",
        dependencies=authorized,
        response_model=Identification,
        responses={
            304: {"description": "The answer is the one whose ETag was sent as If-None-Match."},
            **problems(
                *OF_VALUES,
                InvalidRequest("it lacks the parameter url"),
                *OF_GIFS,
                *OF_ADDRESSES,
                *OF_SERVICES,
                *OF_KEYS,
            ),
        },
    )
    async def identify_address(
        request: Request, url: Url, top_k: TopK = 5, pictures: Pictures = False, exact: Exact = False
    ) -> Response:
        """Name the show of the GIF at an address."""
        gate.check()
        return await answer(request, url, await fetched(url), top_k=top_k, pictures=pictures, exact=exact)


def _add_model(app: FastAPI, identifier: Identifier, settings: RestSettings) -> None:
    authorized = _authorization(settings)
    documented = problems(OF_NAMES, *OF_SERVICES, *OF_KEYS)

    @app.get("/v1/model", dependencies=authorized, response_model=ModelAnswer, responses=documented)
    async def read_model() -> dict[str, object]:
        """Say which model answers, and what it knows."""
        found = await identifier.describe()
        return {
            "name": found.model.name,
            "version": found.model.version,
            "training_data_sha256": found.model.training_data_sha256,
            "licence": found.model.licence,
            "shows": found.shows,
            "unknown_threshold": found.unknown_threshold,
        }

    @app.get("/v1/shows", dependencies=authorized, response_model=ShowsAnswer, responses=documented)
    async def read_shows() -> dict[str, object]:
        """List the shows that can be named."""
        return {"shows": (await identifier.describe()).shows}


def _add_health(app: FastAPI, pipeline: Pipeline) -> None:
    @app.get("/health/live", response_model=Health)
    async def live() -> dict[str, str]:
        """Say that this process answers."""
        return {"status": "live"}

    @app.get("/health/ready", response_model=Health, responses=problems(*OF_SERVICES))
    async def ready() -> dict[str, str]:
        """Say whether a GIF would be answered: whether both steps are ready, wherever they are."""
        if app.state.draining:
            raise ServiceUnavailable("this gateway", "it is about to end")
        await run_in_threadpool(pipeline.check)
        return {"status": "ready"}


def _authorization(settings: RestSettings) -> list[Any]:
    """What stands before every question at /v1: known parameters, and a key where one is asked for."""

    async def check(request: Request) -> None:
        check_key(request.headers, settings.api_keys)

    named = Depends(check_parameters)
    return [Depends(check), named] if settings.api_keys else [named]


def _identification(source: str, found: Identified) -> dict[str, object]:
    """The message gif_analyzer.v1.Identification as proto3 JSON, where bytes are base64."""
    pictures = [base64.b64encode(picture).decode() for picture in found.pictures]
    return {**prediction_json(source, found.prediction), "pictures": pictures}


def _describe(app: FastAPI, settings: RestSettings) -> None:
    """Let the OpenAPI document say what is answered, and no more."""
    make = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            complete(make(), keyed=bool(settings.api_keys))
        return make()

    app.openapi = described  # type: ignore[method-assign]
