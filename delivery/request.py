"""HTTP requests, sent to an address or converted to the events (payload 2.0) of a Lambda Function URL."""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from delivery.errors import CheckFailed, InvalidOption
from services.names import UNREADABLE, plain_address

TEXTS = ("text/", "application/json", "application/javascript", "application/xml")  # not sent in base64
HOST = "check.lambda-url.invalid"  # in events
TIMEOUT_S = 60.0  # of a request to an address, a cold start included


@dataclass(frozen=True)
class Request:
    """An HTTP request."""

    method: str
    path: str  # absolute, without a query
    query: str = ""  # without the question mark
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    version: str = ""  # of the function that answered; empty if it is unknown

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(self.body)


Ask = Callable[[Request], Response]  # sends a request and returns the response


def address_asker(url: str) -> Ask:
    """Return a function that sends requests to the service at an address.

    Raises:
        InvalidOption: the address is invalid; it may hold a password, so the message does not repeat it.
    """
    import httpx  # noqa: PLC0415 - slow, and --help must not wait

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


def to_event(request: Request) -> dict[str, Any]:
    """Convert a request to the event that a Function URL passes to a function."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    cookies = [part.strip() for part in request.headers.get("cookie", "").split(";") if part.strip()]
    headers = {"host": HOST, **request.headers}
    headers.pop("cookie", None)
    if request.body:
        headers.setdefault("content-length", str(len(request.body)))
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": HOST.partition(".")[0],
            "domainName": HOST,
            "domainPrefix": HOST.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),  # ms
        },
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = query
    if cookies:
        event["cookies"] = cookies
    if request.body:
        is_text = headers.get("content-type", "").startswith(TEXTS)
        event["body"] = request.body.decode() if is_text else base64.b64encode(request.body).decode("ascii")
        event["isBase64Encoded"] = not is_text
    return event


def from_result(result: object, *, version: str = "") -> Response:
    """Convert what a function returned to a response, as a Function URL does.

    Raises:
        ValueError: a Function URL could not send it.
    """
    if not isinstance(result, dict) or not isinstance(result.get("statusCode"), int):
        # Lambda would send it as JSON with status 200, which this project never intends.
        raise ValueError("the function returned no status")
    body = result.get("body") or ""
    try:
        content = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()
    except (binascii.Error, AttributeError, TypeError, ValueError) as error:
        raise ValueError("the function returned a body that cannot be read") from error
    headers = {str(name).lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    return Response(result["statusCode"], headers, content, version)
