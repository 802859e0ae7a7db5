"""What somebody holds already: **If-None-Match, an ETag** -> whether it need not be sent again."""

from __future__ import annotations

from starlette.requests import Request


def is_held(request: Request, etag: str) -> bool:
    """Whether a request says that its sender holds what this ETag names; weak tags count, as in RFC 9110."""
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    return etag in tags or tags == ["*"]
