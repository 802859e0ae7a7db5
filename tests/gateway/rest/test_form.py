"""Valid and invalid multipart forms."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rest.upload import Part, read_form
from services.errors import InvalidRequest

TYPE = "multipart/form-data; boundary=b"
GIF = b"GIF89a\r\n--a \r\n\r\n--bc\r\n--b?"  # with all that could be taken for a boundary


def form(
    disposition: str, content: bytes = GIF, *, before: bytes = b"", end: bytes = b"\r\n--b--\r\n"
) -> bytes:
    head = f"--b\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: image/gif\r\n\r\n"
    return before + head.encode() + content + end


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('name="file"', ""),
        ("name=file", ""),
        ('name="file"; filename="a.gif"', "a.gif"),
        ("name=file; filename=a.gif", "a.gif"),
        ('name="file"; filename=""', ""),
        ('name="file"; filename="a; b=\\"c\\".gif"', 'a; b="c".gif'),
        ('name="file"; filename="C:\\GIFs\\a.gif"', "C:\\GIFs\\a.gif"),
        ('name="file"; filename="ünï ☃.gif"', "ünï ☃.gif"),
        ("name=\"file\"; filename*=UTF-8''%E2%98%83.gif", "☃.gif"),
        ('name="file"; filename*=utf-8\'en\'%e2%98%83.gif; filename="plain.gif"', "☃.gif"),
        ('name="file"; filename="plain.gif"; filename*=UTF-8\'\'%E2%98%83.gif', "☃.gif"),
        ("name=\"file\"; filename*=ISO-8859-1''%FCn%EF.gif", "ünï.gif"),
        ("name=\"file\"; filename*=idna''%E2%98%83.gif", "☃.gif"),
        ("name=\"file\"; filename*=UTF-8''%FF.gif", "\ufffd.gif"),
        ('NAME="file"; FileName="a.gif"', "a.gif"),
        ('name="file";\r\n filename="a.gif"', "a.gif"),
    ],
)
def test_file_names_of_a_part(disposition: str, filename: str) -> None:
    assert read_form(TYPE, form(disposition)) == [Part("file", filename, GIF)]


@pytest.mark.parametrize(
    "body",
    [
        form('name="file"', before=b"This is a form.\r\n\r\nRead on.\r\n"),
        form('name="file"', before=b"\r\n"),
        form('name="file"', before=b"--bc\r\n"),
        form('name="file"', end=b"\r\n--b--"),
        form('name="file"', end=b"\r\n--b--\r\nThis was it.\r\n\r\n--b\r\n"),
        form('name="file"', end=b"\r\n--b-- \t\r\n"),
        form('name="file"').replace(b"--b\r\n", b"--b \t\r\n", 1),
    ],
)
def test_preamble_and_epilogue_are_ignored(body: bytes) -> None:
    assert read_form(TYPE, body) == [Part("file", "", GIF)]


@pytest.mark.parametrize(
    "content_type",
    [TYPE, 'multipart/form-data; charset=utf-8; Boundary="b"', "MULTIPART/FORM-DATA;boundary=b"],
)
def test_boundary_parameter(content_type: str) -> None:
    assert read_form(content_type, form('name="file"')) == [Part("file", "", GIF)]


def test_order_of_parts() -> None:
    body = (
        form('name="a"', b"1", end=b"\r\n") + form('name="b"', b"", end=b"\r\n") + form('name="c"', b"\r\n")
    )

    assert [(part.name, part.content) for part in read_form(TYPE, body)] == [
        ("a", b"1"),
        ("b", b""),
        ("c", b"\r\n"),
    ]


WHOLE = form('name="file"; filename="a.gif"')


@pytest.mark.parametrize("length", range(5, len(WHOLE) - 4))
def test_a_form_that_broke_off_says_so(length: int) -> None:
    with pytest.raises(InvalidRequest, match="broke off: the last boundary is missing"):
        read_form(TYPE, WHOLE[:length])


@pytest.mark.parametrize(
    ("content_type", "body", "says"),
    [
        ("multipart/form-data", WHOLE, "its Content-Type names no boundary"),
        ("multipart/form-data; boundary=", WHOLE, "its Content-Type names no boundary"),
        ("multipart/form-data; boundary=other", WHOLE, "lacks the boundary that its Content-Type names"),
        (TYPE, b"", "lacks the boundary that its Content-Type names"),
        (TYPE, form('filename="a.gif"'), "a part of its multipart body has no name"),
        (TYPE, b"--b\r\n\r\nGIF\r\n--b--", "a part of its multipart body has no name"),
        (TYPE, form('name="file"', end=b"\r\n") * 8 + WHOLE, "has more than 8 parts"),
        (TYPE, form("name=file; filename*0*=a; filename*=b"), "its Content-Disposition cannot be read"),
        (f"{TYPE}; boundary*0=b; boundary*=b", WHOLE, "its Content-Type cannot be read"),
        (TYPE, form("name=file" + ";" * 20_000_000), "the headers of a part are longer than 4,096 bytes"),
        (f"{TYPE}{';' * 60_000}", WHOLE, "its Content-Type is longer than 4,096 characters"),
    ],
)
def test_invalid_form(content_type: str, body: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        read_form(content_type, body)


PIECES = st.sampled_from(
    ["filename", "name", "boundary", "*", "0", "1", "=", ";", "'", '"', "\\", "utf-8", "%", "\r\n "]
)
HEADS = st.lists(PIECES, max_size=30).map("".join)


@given(head=st.binary(max_size=200) | HEADS.map(str.encode), content_type=st.text(max_size=60) | HEADS)
def test_any_form_is_read_or_invalid(head: bytes, content_type: str) -> None:
    for kind in (TYPE, "multipart/form-data; boundary=" + content_type):
        try:
            parts = read_form(
                kind, b"--b\r\nContent-Disposition: form-data; " + head + b"\r\n\r\nx\r\n--b--\r\n"
            )
        except InvalidRequest:
            continue
        for part in parts:
            (part.name + part.filename).encode()  # nothing that an answer could not hold


@given(content=st.binary(max_size=300))
def test_any_content_round_trips(content: bytes) -> None:
    body = form('name="file"', content)
    if b"\r\n--b" not in b"\r\n" + content:
        assert read_form(TYPE, body)[0].content == content


@pytest.mark.parametrize("unit", [b"\r\n--b?", b"\r\n", b"\r\n--b \n", b"\r\n\r\n", b"--b\r"])
def test_parsing_time_does_not_depend_on_the_bytes(unit: bytes) -> None:
    body = form('name="file"', unit * (25_000_000 // len(unit)))
    begun = time.process_time()

    [part] = read_form(TYPE, body)

    assert len(part.content) == len(unit) * (25_000_000 // len(unit))
    assert time.process_time() - begun < 10  # seconds; a search that goes back takes hours
