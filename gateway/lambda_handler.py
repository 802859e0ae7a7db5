"""AWS Lambda: **event of a Function URL** (payload 2.0) -> the app and its pipeline, here -> **answer**.

No grpc, no protobuf, no server and no metrics: what is not needed is not imported, for half of a cold start
is imports. The HTTP client is imported when the first address is given.
"""

from __future__ import annotations

import dataclasses
import functools
import logging

from mangum import Mangum

from gateway.pipeline import Pipeline, local
from gateway.rest.app import Fetch, create_app
from gateway.rest.settings import RestSettings
from gateway.settings import Settings
from services.log import log_as_json
from services.memory import keep_freed_memory

EVENT_BYTES = 6 * 1024 * 1024  # what Lambda carries into a function: JSON, the body in base64 within
ENVELOPE_BYTES = 100_000  # headers, query and the rest of it, amply
MAX_BODY_BYTES = (EVENT_BYTES - ENVELOPE_BYTES) // 4 * 3  # 4_643_592: 4 letters of base64 are 3 bytes
ADVICE = "send the address of the GIF instead"
# What an answer holds as text; all else is put into base64.
TEXTS = ["text/", "application/json", "application/problem+json", "application/javascript"]


def build_handler(pipeline: Pipeline, fetch: Fetch, rest: RestSettings | None = None) -> Mangum:
    """Make the function that answers events; Lambda hands it one at a time."""
    rest = rest or RestSettings()
    narrowed = dataclasses.replace(
        rest,
        max_body_bytes=min(rest.max_body_bytes, MAX_BODY_BYTES),
        body_advice=ADVICE,
        metrics=False,  # nobody could ask each of the instances for its own
    )
    # Mangum would run a lifespan around every event; there is nothing to start or to end here.
    return Mangum(create_app(pipeline, fetch, settings=narrowed), lifespan="off", text_mime_types=TEXTS)


def _build(settings: Settings) -> Mangum:
    @functools.cache
    def fetcher() -> Fetch:
        from gateway.fetch.fetcher import Fetcher  # noqa: PLC0415 - imported when the first address is given

        return Fetcher(settings.fetch)

    async def fetch(url: str) -> bytes:
        return await fetcher()(url)

    pipeline = local(
        settings.model, threads=settings.threads, early_exit=settings.early_exit, budget=settings.budget
    )
    return build_handler(pipeline, fetch, settings.rest)


# The one work that is done at import: this module is the program, and Lambda imports it in the INIT phase of
# a cold start, with a whole processor, before the first event. A bad setting or model ends it there.
keep_freed_memory()
log_as_json()  # Lambda's own format leaves out what a line says beside its message
logging.getLogger("mangum").setLevel(logging.WARNING)  # each request is logged by the app already
handler = _build(Settings.from_env())
