"""HTTP as a Function URL carries it: **Request** -> event (payload 2.0) -> function -> **Response**.

The same two shapes serve a check that calls a version directly and one that goes through the address.
"""

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

TEXTS = ("text/", "application/json", "application/javascript", "application/xml")  # they travel as they are


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        path: from the root, without a query.
        query: as in an address, without the question mark.
        headers: names in lower case.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """What is answered.

    Attributes:
        headers: names in lower case.
        version: of the function that answered; empty where the way does not tell.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    version: str = ""

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body)


Ask = Callable[[Request], Response]


def to_event(request: Request, *, host: str = "check.lambda-url.invalid") -> dict[str, Any]:
    """Put a request into the event that a Function URL hands to a function."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    cookies = [part.strip() for part in request.headers.get("cookie", "").split(";") if part.strip()]
    headers = {"host": host, **request.headers}
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
            "apiId": host.split(".", maxsplit=1)[0],
            "domainName": host,
            "domainPrefix": host.split(".", maxsplit=1)[0],
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
    """Read what a function returned as a Function URL does.

    Raises:
        ValueError: it is nothing that a Function URL could send.
    """
    if not isinstance(result, dict) or not isinstance(result.get("statusCode"), int):
        # Lambda would send it as a body of JSON with status 200; this program never means that.
        raise ValueError("the function returned no status")
    body = result.get("body") or ""
    try:
        content = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()
    except (binascii.Error, AttributeError, TypeError, ValueError) as error:
        raise ValueError("the function returned a body that cannot be read") from error
    headers = {str(name).lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    return Response(result["statusCode"], headers, content, version)
