"""What a request asks about: **its body** -> a file with its name, or an address.

Three forms, by Content-Type: multipart/form-data with one part `file`, which may have a file name or none;
image/gif or the type of another format, the bytes themselves; and application/json with one member `url`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from starlette.requests import Request

from gateway.rest.form import read_form
from services.errors import InvalidRequest, UnsupportedMedia

# Of the bytes themselves. What they are is told by the bytes: a wrong one of these does no harm.
MEDIA_TYPES = (
    "image/gif",
    "image/webp",
    "image/png",
    "image/apng",
    "image/jpeg",
    "video/mp4",
    "video/webm",
)
RAW = (*MEDIA_TYPES, "application/octet-stream")
EXPECTED = "multipart/form-data, the media type of a picture such as image/gif, or application/json"
MAX_JSON_BYTES = 65_536


@dataclass(frozen=True)
class Upload:
    """A GIF that was sent, or the address of one.

    Attributes:
        source: the file's name, the address, or "" where neither was given.
        gif: the bytes; None for an address.
    """

    source: str
    gif: bytes | None


async def read_upload(request: Request) -> Upload:
    """Read a request's body.

    Raises:
        UnsupportedMedia: it is declared as something else than the three forms.
        InvalidRequest: it is not what it is declared as, or does not hold exactly one GIF or address.
        RequestTooLarge, RequestTooSlow: raised by whoever limits what is received.
    """
    content_type = request.headers.get("Content-Type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return _read_form(content_type, await request.body())
    if media_type in RAW:
        content = await request.body()
        if not content:
            raise InvalidRequest("its body is empty")
        return Upload("", content)
    if media_type == "application/json":
        return Upload(_read_url(await request.body()), None)
    raise UnsupportedMedia(media_type or "none", expected=EXPECTED)


def _read_form(content_type: str, body: bytes) -> Upload:
    parts = read_form(content_type, body)
    others = sorted({part.name for part in parts} - {"file"})
    if others:
        raise InvalidRequest(f"its multipart body has a part `{others[0][:80]}`; it takes `file` alone")
    if not parts:
        raise InvalidRequest("its multipart body has no part `file`")
    if len(parts) > 1:
        raise InvalidRequest(f"its multipart body has {len(parts)} parts `file`; it takes one")
    [file] = parts
    if not file.content:
        raise InvalidRequest("its file is empty")
    return Upload(file.filename, file.content)


def _read_url(body: bytes) -> str:
    if len(body) > MAX_JSON_BYTES:
        raise InvalidRequest(f"its JSON is longer than {MAX_JSON_BYTES:,} bytes")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("its body is not JSON") from error
    if not isinstance(value, dict) or set(value) != {"url"} or not isinstance(value["url"], str):
        raise InvalidRequest('its JSON must be {"url": an address}, and no more')
    return value["url"]
