"""A service by its address: **Request** -> HTTP -> **Response**."""

from __future__ import annotations

import httpx

from delivery.errors import CheckFailed, InvalidOption
from delivery.request import Ask, Request, Response
from services.names import UNREADABLE, plain_address

TIMEOUT_S = 60.0  # a cold start included


def address_asker(url: str) -> Ask:
    """A way to ask the service at an address, whoever runs it.

    Raises:
        InvalidOption: it is not written plainly; it may hold a password, so it is not repeated.
    """
    place = plain_address(url)
    if place is None or not place.startswith(("http://", "https://")):
        raise InvalidOption("address", expected="http(s)://HOST[:PORT]", found=UNREADABLE)
    place, base = place.partition("://")[2], url.rstrip("/")

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
