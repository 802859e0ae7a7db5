"""Feedback at /v1/feedback: what users say of answers, and, with their consent, GIFs for training.

A feedback is a line of a file, or else of the log. GIFs are kept only in a folder that a setting names, and
only from users with a key.
"""

from __future__ import annotations

import datetime
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request
from starlette.concurrency import run_in_threadpool

from gateway.rest import schemas
from gateway.rest.access import AUTHORIZED
from gateway.rest.library import checked_text
from gateway.rest.observer import PLAIN_ID, REQUEST_ID
from gateway.rest.schemas import problems
from gateway.rest.upload import Intake
from gateway.settings import RestSettings
from services.clip import GifSource
from services.errors import FeedbackClosed, InvalidArgument, InvalidRequest, RateLimited
from services.files import replacing
from services.inference.answers import TIME
from services.inference.feedback import MESSAGE, Feedback, feedback_line

MINUTE_S = 60.0

AnswerId = Annotated[
    str,
    Query(
        description=f"Id of the answer: the header {REQUEST_ID} that came with it.",
        examples=["0123456789abcdef0123456789abcdef"],
    ),
]
Right = Annotated[bool, Query(description="Whether the answer was right.", examples=[True])]
Show = Annotated[
    str, Query(description="Title of the right show, for a wrong answer.", examples=["Big Buck Bunny"])
]
Consent = Annotated[
    bool,
    Query(description="Whether the GIF in the body, or at the address there, may be kept for training."),
]

_log = logging.getLogger(__name__)


class Rate:
    """Allows so many calls a minute, and as many at once; used from one event loop.

    Args:
        per_minute: at least 1.
        clock: returns monotonic seconds.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = per_minute, clock
        self._left, self._at = float(per_minute), clock()

    def take(self) -> None:
        """Count a call; raise RateLimited if there were too many."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._most / MINUTE_S)
        self._at = now
        if self._left < 1:
            wait_s = (1 - self._left) * MINUTE_S / self._most
            raise RateLimited(per_minute=self._most, retry_after_s=wait_s)
        self._left -= 1


def add_feedback(app: FastAPI, settings: RestSettings, intake: Intake) -> None:
    """Add feedback to an application.

    Args:
        app: the application.
        settings: whether feedback is taken, how often, and where it and GIFs are kept.
        intake: takes the GIFs that are kept. They are decoded, so that nothing else is kept.
    """
    rate, lock = Rate(settings.feedback_per_minute), threading.Lock()
    folder = settings.feedback_gifs if settings.feedback else None

    def write(feedback: Feedback) -> None:
        if settings.feedback_file is None:
            _log.info(MESSAGE, extra=feedback_line(feedback))
            return
        at = datetime.datetime.now().strftime(TIME)[:-3]
        line = json.dumps({"time": at, "message": MESSAGE, **feedback_line(feedback)}) + "\n"
        with lock, settings.feedback_file.open("a", encoding="utf-8") as file:
            file.write(line)

    def keep(gif: bytes, into: Path, source: GifSource | None) -> str:
        name = f"{uuid.uuid4().hex}.{source.format if source else 'gif'}"
        with replacing(into / name) as partial:
            partial.write_bytes(gif)
        return name

    @app.get(
        "/v1/feedback",
        operation_id="getFeedback",
        tags=["feedback"],
        dependencies=AUTHORIZED,
        response_model=schemas.FeedbackAnswer,
        responses=problems(schemas.OF_NAMES, *schemas.OF_KEYS),
    )
    async def read_feedback() -> dict[str, object]:
        """Say whether feedback is taken, and whether GIFs are kept with consent."""
        return {"open": settings.feedback, "keeps_gifs": folder is not None}

    @app.post(
        "/v1/feedback",
        operation_id="giveFeedback",
        tags=["feedback"],
        dependencies=AUTHORIZED,
        status_code=201,
        response_model=schemas.FeedbackTaken,
        responses=problems(
            InvalidRequest("a right answer needs no other show"),
            InvalidArgument("answer", expected="the id of an answer", found="''"),
            FeedbackClosed("feedback"),
            RateLimited(per_minute=60, retry_after_s=1),
            *schemas.OF_BODIES,
            *schemas.OF_GIFS,
            *schemas.OF_SERVICES,
            *schemas.OF_KEYS,
        ),
        openapi_extra={"requestBody": {**schemas.gif_body(), "required": False}},
    )
    async def take_feedback(
        request: Request,
        answer: AnswerId,
        right: Right,
        show: Show = "",
        consent: Consent = False,
    ) -> dict[str, object]:
        """Say whether an answer was right, and which show is; with consent, give the GIF for training."""
        if not settings.feedback:
            raise FeedbackClosed("feedback")
        if not PLAIN_ID.fullmatch(answer):
            raise InvalidArgument("answer", expected="the id of an answer", found=repr(answer)[:80])
        title = " ".join(show.split())
        if title and right:
            raise InvalidRequest("a right answer needs no other show")
        if title:
            checked_text("show", title)
        if consent and folder is None:
            raise FeedbackClosed("GIFs")
        rate.take()
        name = ""
        if consent and folder is not None:
            _, gif = await intake.read(request)
            name = await intake.use(gif, lambda clip: keep(gif, folder, clip.source))
        elif await request.body():
            raise InvalidRequest("a GIF is only taken with consent=true")
        feedback = Feedback(answer, right, title, name)
        await run_in_threadpool(write, feedback)
        return {"answer": answer, "kept_gif": name != ""}
