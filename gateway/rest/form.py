"""multipart/form-data, RFC 7578: **Content-Type and a whole body** -> **its parts**.

The body is in memory anyway, so it is searched and not parsed byte by byte: the time is that of a search,
whatever the bytes are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message

from services.errors import InvalidRequest

MAX_PARTS = 8
MAX_HEAD = 4_096  # bytes of the headers of a part: email takes the square of their length in time
_CHARSETS = ("utf-8", "iso-8859-1")  # of RFC 8187, which `filename*` follows


@dataclass(frozen=True)
class Part:
    """One part of a form.

    Attributes:
        name: of the field.
        filename: as given, "" where none is.
        content: its bytes, as they are.
    """

    name: str
    filename: str
    content: bytes


def read_form(content_type: str, body: bytes) -> list[Part]:
    """Take a form apart. What stands before the first boundary and behind the last is for nobody.

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
        # A part without headers has the empty line at once; one without content ends in one line break.
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
    """The parameters of a header by name; of `filename` and `filename*` the second."""
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
