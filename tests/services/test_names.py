from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.names import name_from_text, name_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"in/a.gif", "in/a.gif"),
        ("in/ø\u200b.gif".encode(), "in/ø\u200b.gif"),
        (rb"in/back\slash.gif", r"in/back\slash.gif"),
        (b"in/\xff.gif", r"in/\xff.gif"),
        (rb"in/\xff.gif", r"in/\x5cxff.gif"),
        (b"\\\xe9", r"\x5c\xe9"),
    ],
)
def test_a_name_is_text_that_says_its_bytes(name: bytes, text: str) -> None:
    assert name_text(os.fsdecode(name)) == text


@given(
    st.one_of(st.binary(max_size=12), st.lists(st.sampled_from([b"\\", b"x", b"ff", b"\xff"])).map(b"".join))
)
def test_every_name_of_a_file_comes_back(name: bytes) -> None:
    text = name_text(os.fsdecode(name))

    assert name_from_text(text).encode("utf-8", "surrogateescape") == name
    assert text.encode().decode() == text


def test_half_a_character_that_is_no_byte_is_written_too() -> None:
    assert name_text("a\ud83db") == r"a\ud83db"
