"""The REST application: `create_app` puts a pipeline and a way to fetch addresses behind /v1 and the page."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from gateway.answer import prediction_json
from gateway.library import ServedLibrary
from gateway.pipeline import Pipeline
from gateway.rest import schemas
from gateway.rest.access import AUTHORIZED
from gateway.rest.feedback import add_feedback
from gateway.rest.identifier import Identifier
from gateway.rest.library import add_library
from gateway.rest.limits import AllowedHosts, BodyLimit
from gateway.rest.observer import REQUEST_ID, Metrics, Observer
from gateway.rest.page import add_page, is_held
from gateway.rest.problem import add_problems
from gateway.rest.schemas import API_KEY, problems
from gateway.rest.traced import Traced
from gateway.rest.upload import Fetch, Intake
from gateway.settings import RestSettings
from services.errors import AnalyzerError, InvalidRequest, ServiceUnavailable
from services.inference.answers import MESSAGE, Interface, answer_line, answer_of, error_of
from services.tracing import TRACEPARENT, TRACESTATE

VERSION = "1"
DESCRIPTION = "Tells which TV show an animated GIF came from."
_log = logging.getLogger(__name__)

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


def create_app(
    pipeline: Pipeline,
    fetch: Fetch,
    *,
    settings: RestSettings = RestSettings(),  # noqa: B008 - a frozen value
    library: ServedLibrary | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        pipeline: both steps, wherever they compute.
        fetch: address -> bytes; raises `FetchError` and `GifTooLarge`.
        settings: limits, keys, origins, metrics.
        library: the one that the pipeline searches, if it is a file of this machine.

    Raises:
        ValueError: the library can be taught or GIFs are kept, and no key protects that.
    """
    if library is not None and library.writable and not settings.api_keys:
        raise ValueError("a library that can be taught needs API keys")
    if settings.feedback_gifs is not None and not settings.api_keys:
        raise ValueError("keeping GIFs needs API keys")
    app = FastAPI(
        title="GIF Analyzer",
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=schemas.TAGS,
        servers=[{"url": "/", "description": "The server that this document came from."}],
        docs_url=None,  # FastAPI's pages of documentation load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,  # Starlette redirects to the host that the client names
        # FastAPI's own spans have the query, and so the addresses that users ask about.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.draining = False  # the server sets it on SIGTERM
    intake = Intake(pipeline, fetch, settings)
    identifier = Identifier(pipeline, intake.workers, cache_bytes=settings.cache_bytes)
    _add_identify(app, identifier, intake, settings)
    _add_model(app, identifier)
    add_library(app, library, intake)
    add_feedback(app, settings, intake)
    _add_health(app, pipeline)
    add_page(app)
    add_problems(app)
    metrics = None
    if settings.metrics:
        metrics = Metrics(
            in_flight=lambda: intake.gate.inside, cache_bytes=lambda: identifier.cache_size_bytes
        )
        page, media_type = metrics.page, metrics.media_type

        # No coroutine, so it runs in a thread: making the page takes time, and others are answered meanwhile.
        @app.get("/metrics", dependencies=AUTHORIZED, include_in_schema=False)
        def read_metrics() -> Response:
            return Response(page(), media_type=media_type)

    # The middleware that is added last is the outermost.
    app.add_middleware(BodyLimit, settings=settings)
    if settings.allowed_hosts:
        app.add_middleware(AllowedHosts, hosts=settings.allowed_hosts)
    app.add_middleware(Observer, metrics=metrics)
    app.add_middleware(Traced)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=[
                *("Authorization", "Content-Type", "If-None-Match", API_KEY, REQUEST_ID),
                *(TRACEPARENT, TRACESTATE),
            ],
            expose_headers=["ETag", "Retry-After", REQUEST_ID],
        )
    _describe(app, settings)
    return app


def _add_identify(app: FastAPI, identifier: Identifier, intake: Intake, settings: RestSettings) -> None:
    async def answer(request: Request, source: str, gif: bytes, **asked: Any) -> Response:
        start = time.perf_counter()
        with intake.gate.enter():  # only now, so that slow clients and slow hosts take no place
            found = await identifier.identify(gif, **asked)
        request.state.kept = found.kept
        line = answer_of(
            found.prediction,
            request_id=request.state.request_id,
            interface=settings.interface,
            duration_ms=1000 * (time.perf_counter() - start),
            decode_ms=found.decode_ms,
            classify_ms=found.classify_ms,
            kept=found.classify_ms is None,
        )
        _log.info(MESSAGE, extra=answer_line(line))
        headers = {"ETag": found.etag, "Cache-Control": "private, no-cache"}
        if request.method == "GET" and is_held(request, found.etag):
            return Response(status_code=304, headers=headers)
        # The message gif_analyzer.v1.Identification as proto3 JSON, where bytes are base64.
        pictures = [base64.b64encode(picture).decode() for picture in found.pictures]
        content = prediction_json(source, found.prediction) | {"pictures": pictures}
        return JSONResponse(content, headers=headers)

    @app.post(
        "/v1/identify",
        operation_id="identifyGif",
        tags=["identify"],
        dependencies=AUTHORIZED,
        response_model=schemas.Identification,
        responses={
            **schemas.WITH_ETAG,
            **problems(*schemas.OF_ANY, *schemas.OF_BODIES, *schemas.OF_IDENTIFY),
        },
        openapi_extra={"requestBody": schemas.gif_body()},
    )
    async def identify(
        request: Request, top_k: TopK = 5, pictures: Pictures = False, exact: Exact = False
    ) -> Response:
        """Name the show of a GIF that is sent, or of the one at an address."""
        with _errors_logged(request, settings.interface):
            upload, gif = await intake.read(request)
            return await answer(request, upload.source, gif, top_k=top_k, pictures=pictures, exact=exact)

    @app.get(
        "/v1/identify",
        operation_id="identifyAddress",
        tags=["identify"],
        dependencies=AUTHORIZED,
        response_model=schemas.Identification,
        responses={
            **schemas.WITH_ETAG,
            **schemas.NOT_MODIFIED,
            **problems(*schemas.OF_ANY, InvalidRequest("it lacks the parameter url"), *schemas.OF_IDENTIFY),
        },
        openapi_extra=schemas.IF_NONE_MATCH,
    )
    async def identify_address(
        request: Request, url: Url, top_k: TopK = 5, pictures: Pictures = False, exact: Exact = False
    ) -> Response:
        """Name the show of the GIF at an address."""
        with _errors_logged(request, settings.interface):
            gif = await intake.fetch(url)
            return await answer(request, url, gif, top_k=top_k, pictures=pictures, exact=exact)


@contextlib.contextmanager
def _errors_logged(request: Request, interface: Interface) -> Iterator[None]:
    """Log the line of an error that a request to identify a GIF gets."""
    start = time.perf_counter()
    try:
        yield
    except AnalyzerError as error:
        duration_ms = 1000 * (time.perf_counter() - start)
        line = error_of(
            error.reason, request_id=request.state.request_id, interface=interface, duration_ms=duration_ms
        )
        _log.info(MESSAGE, extra=answer_line(line))
        raise


def _add_model(app: FastAPI, identifier: Identifier) -> None:
    documented = problems(*schemas.OF_ANY, *schemas.OF_SERVICES)

    @app.get(
        "/v1/model",
        operation_id="getModel",
        tags=["model"],
        dependencies=AUTHORIZED,
        response_model=schemas.ModelAnswer,
        responses=documented,
    )
    async def read_model() -> dict[str, object]:
        """Say which model and which library answer, and what they know."""
        found = await identifier.describe()
        return dataclasses.asdict(found)

    @app.get(
        "/v1/shows",
        operation_id="listShows",
        tags=["model"],
        dependencies=AUTHORIZED,
        response_model=schemas.ShowsAnswer,
        responses=documented,
    )
    async def read_shows() -> dict[str, object]:
        """List the shows that can be named, those that only the library has at the end."""
        return {"shows": (await identifier.describe()).named}


def _add_health(app: FastAPI, pipeline: Pipeline) -> None:
    @app.get("/health/live", operation_id="getLiveness", tags=["health"], response_model=schemas.Health)
    async def live() -> dict[str, str]:
        """Say that this process answers."""
        return {"status": "live"}

    @app.get(
        "/health/ready",
        operation_id="getReadiness",
        tags=["health"],
        response_model=schemas.Health,
        responses=problems(*schemas.OF_SERVICES),
    )
    async def ready() -> dict[str, str]:
        """Say whether a GIF would be answered: whether both steps are ready, wherever they are."""
        if app.state.draining:
            raise ServiceUnavailable("this gateway", "it is about to end")
        await run_in_threadpool(pipeline.check)
        return {"status": "ready"}


def _describe(app: FastAPI, settings: RestSettings) -> None:
    """Make the OpenAPI document describe what is really answered."""
    make = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas.complete(make(), keyed=bool(settings.api_keys))
        return make()

    app.openapi = described  # type: ignore[method-assign]
