"""A service by its address: **Request** -> HTTP -> **Response**."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from delivery.errors import CheckFailed
from delivery.request import Ask, Request, Response

TIMEOUT_S = 60.0  # a cold start included


def address_asker(url: str) -> Ask:
    """A way to ask the service at an address, whoever runs it."""
    base = url.rstrip("/")
    place = urlsplit(base).netloc or base

    def ask(request: Request) -> Response:
        query = f"?{request.query}" if request.query else ""
        try:
            answer = httpx.request(
                request.method,
                f"{base}{request.path}{query}",
                headers=dict(request.headers),
                content=request.body,
                timeout=TIMEOUT_S,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CheckFailed(place, f"no answer: {error or type(error).__name__}") from error
        return Response(answer.status_code, dict(answer.headers), answer.content)

    return ask
