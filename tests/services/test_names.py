from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.names import name_from_text, name_text, plain_address


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
def test_a_file_name_is_written_as_text(name: bytes, text: str) -> None:
    assert name_text(os.fsdecode(name)) == text


@given(
    st.one_of(st.binary(max_size=12), st.lists(st.sampled_from([b"\\", b"x", b"ff", b"\xff"])).map(b"".join))
)
def test_every_file_name_can_be_read_back(name: bytes) -> None:
    text = name_text(os.fsdecode(name))

    assert name_from_text(text).encode("utf-8", "surrogateescape") == name
    assert text.encode().decode() == text


def test_a_lone_surrogate_that_is_not_a_byte_is_written_too() -> None:
    assert name_text("a\ud83db") == r"a\ud83db"


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("https://me:token@dagshub.com/me/repo.mlflow", "https://dagshub.com/me/repo.mlflow"),
        ("https://dagshub.com/me/repo.mlflow/?key=1", "https://dagshub.com/me/repo.mlflow"),
        ("HTTP://me@127.0.0.1:9", "http://127.0.0.1:9"),
        ("http://me:a%2Fb@[::1]:9/x", "http://[::1]:9/x"),
        ("postgresql://me:token@localhost/db", "postgresql://localhost/db"),
        ("sqlite:///runs/mlflow.db", "sqlite:///runs/mlflow.db"),
        ("sqlite:////tmp/ann@home/a b.db", "sqlite:////tmp/ann@home/a b.db"),
    ],
)
def test_user_name_password_and_query_are_removed_from_an_address(address: str, plain: str) -> None:
    assert plain_address(address) == plain


@pytest.mark.parametrize(
    "address",
    [
        "http://ann:s3c/ret@127.0.0.1:9/x.mlflow",
        "http://ann:s3c?ret@127.0.0.1:9/x",
        "http://ann:s3c#ret@127.0.0.1:9/x",
        "http://ann:s3c@ret@127.0.0.1:9/x",
        "http://ann:s3c ret@127.0.0.1:9/x",
        "http://ann:s3c\\ret@127.0.0.1:9/x",
        "http://[ann:s3cret@127.0.0.1:9/x",
        "http://ann:s3cret@[::1/x",
        "http://ann:s3cret",
        "http://ann:s3cret/",
        "http://127.0.0.1:9/x?a@b=1&token=s3cret",
        "http://127.0.0.1:9/#s3cret",
        "http:/ann:s3cret@127.0.0.1:9",
        "https//ann:s3cret@127.0.0.1",
        "ann:s3cret@127.0.0.1",
        "sqlite://ann:s3cret@127.0.0.1/x.db",
        "s3cret",
        "",
    ],
)
def test_nothing_is_shown_of_an_address_in_an_unusual_form(address: str) -> None:
    assert plain_address(address) is None


@given(user=st.text(max_size=8), password=st.text(max_size=20), query=st.text(max_size=20))
def test_no_password_is_ever_shown(user: str, password: str, query: str) -> None:
    shown = plain_address(f"https://{user}:{password}@host.example/path?{query}")

    assert shown in (None, "https://host.example/path")
