"""Takes the GIFs of requests: reads one, or its address, out of a body, and computes with it.

A body has one of three forms, by Content-Type: multipart/form-data with one part `file`, with or without a
file name; image/gif or the type of another format, the bytes themselves; and application/json with one member
`url`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from email.message import Message
from typing import NamedTuple, TypeVar

from starlette.requests import Request

from gateway.pipeline import Pipeline
from gateway.rest.limits import Gate
from gateway.settings import RestSettings
from services.clip import Clip
from services.errors import InvalidRequest, UnsupportedMedia
from services.workers import Workers

# Media types of the bytes themselves. The bytes decide what they are: a wrong one of these does no harm.
MEDIA_TYPES = (
    *("image/gif", "image/webp", "image/png", "image/apng", "image/jpeg"),
    *("video/mp4", "video/webm"),
)
RAW = (*MEDIA_TYPES, "application/octet-stream")
EXPECTED = "multipart/form-data, the media type of a picture such as image/gif, or application/json"
MAX_JSON_BYTES = 65_536
MAX_PARTS = 8  # of a form
MAX_HEAD = 4_096  # bytes of the headers of a part: the time of `email` grows with the square of their length
Fetch = Callable[[str], Awaitable[bytes]]
T = TypeVar("T")
_CHARSETS = ("utf-8", "iso-8859-1")  # of RFC 8187, which `filename*` follows


class Upload(NamedTuple):
    """A GIF that was sent, or the address of one."""

    source: str  # the file's name, the address, or "" where neither was given
    gif: bytes | None  # None for an address


class Intake:
    """Takes GIFs within the limits of a server. Used from one event loop.

    Args:
        pipeline: decodes them.
        fetch: address -> bytes; raises `FetchError` and `GifTooLarge`.
        settings: how many GIFs may be computed, wait and be fetched at once.

    Attributes:
        gate: counts the GIFs in progress.
        workers: threads that compute.
    """

    def __init__(self, pipeline: Pipeline, fetch: Fetch, settings: RestSettings) -> None:
        self._pipeline, self._fetch, self._fetching = pipeline, fetch, Gate(settings.fetches)
        self.gate = Gate(settings.in_flight)
        self.workers = Workers(settings.workers, settings.in_flight)

    async def read(self, request: Request) -> tuple[Upload, bytes]:
        """Read a request's body; return it and its GIF, or the one at the address there.

        Raises:
            Overloaded: too many GIFs are in progress or fetched.
            InvalidRequest, UnsupportedMedia, RequestTooLarge, RequestTooSlow: as `read_upload`.
            FetchError, GifTooLarge: as `fetch`.
        """
        self.gate.check()  # before the body is read: it would be refused anyway
        upload = await read_upload(request)
        return upload, await self.fetch(upload.source) if upload.gif is None else upload.gif

    async def fetch(self, url: str) -> bytes:
        """Fetch the GIF at an address; raises as `read`."""
        self.gate.check()
        with self._fetching.enter():
            return await self._fetch(url)

    async def use(self, gif: bytes, work: Callable[[Clip], T]) -> T:
        """Decode a GIF and return work(clip), both in a thread; raises what they raise, and Overloaded."""
        with self.gate.enter():  # only now, so that slow clients and slow hosts take no place
            return await self.workers.run(lambda: work(self._pipeline.decode(gif)))


class Part(NamedTuple):
    """One part of a form."""

    name: str
    filename: str  # "" where none is given
    content: bytes


async def read_upload(request: Request) -> Upload:
    """Read a request's body.

    Raises:
        UnsupportedMedia: its Content-Type is none of the three forms.
        InvalidRequest: it does not have the declared form, or does not hold exactly one GIF or address.
        RequestTooLarge, RequestTooSlow: from `BodyLimit`.
    """
    content_type = request.headers.get("Content-Type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return _file_of(read_form(content_type, await _read_body(request)))
    if media_type in RAW:
        content = await _read_body(request)
        if not content:
            raise InvalidRequest("its body is empty")
        return Upload("", content)
    if media_type == "application/json":
        return Upload(_read_url(await _read_body(request)), None)
    raise UnsupportedMedia(media_type or "none", expected=EXPECTED)


async def _read_body(request: Request) -> bytes:
    """Read the whole body. `Request.body` would keep it, beside the file that is cut out of a form."""
    return b"".join([part async for part in request.stream()])


def _file_of(parts: list[Part]) -> Upload:
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
        value = json.loads(body, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("its body is not JSON") from error
    if not isinstance(value, dict) or set(value) != {"url"} or not isinstance(value["url"], str):
        raise InvalidRequest('its JSON must be {"url": an address}, and no more')
    return value["url"]


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its members; one that is given twice is an error, as it is in a query."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidRequest("its JSON has a member more than once")
    return members


def read_form(content_type: str, body: bytes) -> list[Part]:
    """Split a multipart/form-data body (RFC 7578) into its parts.

    What stands before the first boundary and after the last is ignored. The body is in memory anyway, so it
    is searched for boundaries and not parsed byte by byte: that is fast for any bytes.

    Raises:
        InvalidRequest: it broke off, or is not a form.
    """
    boundary = _parameters("Content-Type", content_type).get("boundary", "").encode("utf-8")
    if not boundary:
        raise InvalidRequest("its Content-Type names no boundary of its parts")
    after = rb"--" + re.escape(boundary) + rb"(?:(?P<last>--)|[ \t]*\r\n)"  # the end, or the next part
    delimiter = re.compile(rb"\r\n" + after)
    # The first boundary has no line before it, unless there is a preamble.
    found = re.match(after, body) or delimiter.search(body)
    if found is None:
        raise InvalidRequest("its multipart body lacks the boundary that its Content-Type names")
    parts: list[Part] = []
    while found["last"] is None:
        if len(parts) == MAX_PARTS:
            raise InvalidRequest(f"its multipart body has more than {MAX_PARTS} parts")
        # A part without headers begins with the empty line; one without content ends in one line break.
        begin = body.find(b"\r\n\r\n", found.end() - 2)
        following = None if begin < 0 else delimiter.search(body, begin + 2)
        if following is None:
            raise InvalidRequest("its multipart body broke off: the last boundary is missing")
        content = body[begin + 4 : following.start()]
        parts.append(_part(body[found.end() : max(begin, found.end())], content))
        found = following
    return parts


def _part(head: bytes, content: bytes) -> Part:
    if len(head) > MAX_HEAD:
        raise InvalidRequest(f"the headers of a part are longer than {MAX_HEAD:,} bytes")
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    lines = re.sub(r"\r\n[ \t]+", " ", text).split("\r\n")
    headers = {name.strip().lower(): value for name, _, value in (line.partition(":") for line in lines)}
    parameters = _parameters("Content-Disposition", headers.get("content-disposition", ""))
    if "name" not in parameters:
        raise InvalidRequest("a part of its multipart body has no name")
    return Part(parameters["name"], parameters.get("filename", ""), content)


def _parameters(header: str, value: str) -> dict[str, str]:
    """Return the parameters of a header by name; `filename*` replaces `filename`."""
    if len(value) > MAX_HEAD:
        raise InvalidRequest(f"its {header} is longer than {MAX_HEAD:,} characters")
    message = Message()
    message[header] = re.sub(r"[\r\n]", " ", value)
    try:
        found = message.get_params([], header)[1:]
    except (TypeError, ValueError) as error:  # of email, for one that is given whole and in numbered pieces
        raise InvalidRequest(f"its {header} cannot be read") from error
    return {name.lower(): _text(given) for name, given in found}


def _text(given: str | tuple[str | None, str | None, str]) -> str:
    if isinstance(given, str):
        return given
    charset, _, text = given  # of `filename*`: its bytes, as Latin-1
    named = (charset or "").lower()
    return text.encode("latin-1", "replace").decode(named if named in _CHARSETS else "utf-8", "replace")
