"""The AWS Lambda function: answers events of a Function URL (payload 2.0) with the REST application.

Half of a cold start is imports, so grpc, protobuf, a server and metrics are not imported, and the HTTP client
only with the first address.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mangum import Mangum
from mangum.protocols import HTTPCycle

from gateway.library import ServedLibrary
from gateway.pipeline import Pipeline, local
from gateway.rest.app import create_app
from gateway.rest.problem import MEDIA_TYPE, problem_json
from gateway.rest.upload import Fetch
from gateway.settings import RestSettings, Settings
from services.errors import InvalidRequest, InvalidSetting
from services.inference.shadow import Shadow
from services.process import keep_freed_memory, log_as_json

EVENT_BYTES = 6 * 1024 * 1024  # limit of Lambda for an event: JSON that contains the body in base64
ENVELOPE_BYTES = 100_000  # room for headers, query and the rest of the event
MAX_BODY_BYTES = (EVENT_BYTES - ENVELOPE_BYTES) // 4 * 3  # 4_643_592: 4 letters of base64 are 3 bytes
ADVICE = "send the address of the GIF instead"
# Media types that an answer holds as text; others are encoded in base64.
TEXTS = ["text/", "application/json", MEDIA_TYPE, "application/javascript"]

BUNDLED_LIBRARY = Path(__file__).with_name("bundled.library")  # where gif-deliver bundle --library puts it

Handler = Callable[[Any, Any], dict[str, Any]]

_log = logging.getLogger(__name__)


def build_handler(
    pipeline: Pipeline,
    fetch: Fetch,
    rest: RestSettings | None = None,
    *,
    library: ServedLibrary | None = None,
    shadow: Shadow | None = None,
) -> Handler:
    """Make the function that answers events; Lambda calls it with one at a time.

    An event that is no HTTP request, such as that of a schedule or a queue, is logged and answered as a bad
    request, not an error of the function: Lambda would try such an event again, to no use.

    With a shadow, an answer waits until its challenger has finished: Lambda stops all threads after it.
    """
    rest = rest or RestSettings()
    narrowed = dataclasses.replace(
        rest,
        max_body_bytes=min(rest.max_body_bytes, MAX_BODY_BYTES),
        body_advice=ADVICE,
        metrics=False,  # no client could read those of each instance
        interface="lambda",
    )
    app = create_app(pipeline, fetch, settings=narrowed, library=library)
    adapter = Mangum(app, lifespan="off", text_mime_types=TEXTS)

    def handle(event: Any, context: Any) -> dict[str, Any]:
        try:
            reader = adapter.infer(event, context)
            cycle = HTTPCycle(reader.scope, reader.body)
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError):
            return _not_http(event)
        answer = reader(cycle(app))
        if shadow is not None:
            shadow.drain()
        return answer

    return handle


def _not_http(event: object) -> dict[str, Any]:
    """Log the keys of the event, which show what sent it; its values are private."""
    names = sorted(map(str, event))[:20] if isinstance(event, dict) else type(event).__name__
    _log.error("this event is not an HTTP request, and nothing was done", extra={"event_keys": names})
    error = InvalidRequest("this event is not an HTTP request of a Function URL")
    return {
        "statusCode": error.http_status,
        "headers": {"content-type": MEDIA_TYPE, "cache-control": "no-store"},
        "body": json.dumps(problem_json(error, uuid.uuid4().hex)),
        "isBase64Encoded": False,
    }


def _build(settings: Settings) -> Handler:
    for name in ("feedback_file", "feedback_gifs"):
        if (path := getattr(settings.rest, name)) is not None:
            expected = "left out in AWS Lambda, where feedback is a line of the log and no GIF is kept"
            raise InvalidSetting(f"GIF_ANALYZER_{name.upper()}", expected=expected, found=str(path))

    @functools.cache
    def fetcher() -> Fetch:
        from gateway.fetch.fetcher import Fetcher  # noqa: PLC0415 - imported when the first address is given

        return Fetcher(settings.fetch)

    async def fetch(url: str) -> bytes:
        return await fetcher()(url)

    shadow = settings.open_shadow()
    library = settings.library or (BUNDLED_LIBRARY if BUNDLED_LIBRARY.exists() else None)
    pipeline = local(
        settings.model,
        threads=settings.threads,
        early_exit=settings.early_exit,
        library=library,
        budget=settings.budget,
        shadow=shadow,
    )
    served = None if library is None else ServedLibrary(library)  # which is only read
    return build_handler(pipeline, fetch, settings.rest, library=served, shadow=shadow)


# This module works at import because it is the program: Lambda imports it in the INIT phase of a cold start,
# with a whole processor, before the first event. An invalid setting or model ends it there.
keep_freed_memory()
log_as_json()  # Lambda's own format drops the extra fields
logging.getLogger("mangum").setLevel(logging.WARNING)  # each request is logged by the app already
handler = _build(Settings.from_env())
