from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.names import plain_address


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
def test_an_address_is_shown_without_what_is_secret(address: str, plain: str) -> None:
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
def test_of_one_that_is_not_written_plainly_nothing_is_shown(address: str) -> None:
    assert plain_address(address) is None


@given(user=st.text(max_size=8), password=st.text(max_size=20), query=st.text(max_size=20))
def test_no_password_is_shown_whatever_is_in_it(user: str, password: str, query: str) -> None:
    shown = plain_address(f"https://{user}:{password}@host.example/path?{query}")

    assert shown in (None, "https://host.example/path")
