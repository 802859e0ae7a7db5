from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.fetch.address import Address
from services.errors import InvalidAddress


def test_parts_of_an_address() -> None:
    address = Address.parse("HTTPS://Media.Giphy.com/media/abc/giphy.gif?cid=1&rid=a/b#frame")

    assert address == Address("https", "media.giphy.com", 443, "/media/abc/giphy.gif", "cid=1&rid=a/b")
    assert address.target == "/media/abc/giphy.gif?cid=1&rid=a/b"


def test_logged_address_has_no_query() -> None:
    address = Address.parse("https://giphy.com:8443/a.gif?key=secret")

    assert str(address) == "https://giphy.com:8443/a.gif"
    assert address.whole == "https://giphy.com:8443/a.gif?key=secret"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("http://giphy.com", "http://giphy.com/"),
        ("giphy.com/gifs/cat-a", "https://giphy.com/gifs/cat-a"),
        ("Media.Giphy.com:8443/a.gif?u=http://b/", "https://media.giphy.com:8443/a.gif?u=http://b/"),
        ("http://giphy.com?a", "http://giphy.com/?a"),
        ("http://giphy.com:80/", "http://giphy.com/"),
        ("https://giphy.com:80/", "https://giphy.com:80/"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"),
        ("http://93.184.216.34/a.gif", "http://93.184.216.34/a.gif"),
        ("http://[2606:4700::1111]:8080/a.gif", "http://[2606:4700::1111]:8080/a.gif"),
        ("https://giphy.com/été.gif?q=é", "https://giphy.com/%C3%A9t%C3%A9.gif?q=%C3%A9"),
        ("https://giphy.com/a%20b.gif", "https://giphy.com/a%20b.gif"),
        ('https://giphy.com/"<>^`{|}', "https://giphy.com/%22%3C%3E%5E%60%7B%7C%7D"),
    ],
)
def test_plain_forms_are_taken(text: str, whole: str) -> None:
    assert Address.parse(text).whole == whole


@pytest.mark.parametrize(
    ("reference", "whole"),
    [
        ("b.gif", "https://giphy.com/media/b.gif"),
        ("/b.gif?x=1", "https://giphy.com/b.gif?x=1"),
        ("//tenor.com/b.gif", "https://tenor.com/b.gif"),
        ("http://tenor.com/b.gif", "http://tenor.com/b.gif"),
        ("../../../b.gif", "https://giphy.com/b.gif"),
        ("?page=2", "https://giphy.com/media/a.gif?page=2"),
    ],
)
def test_a_redirect_may_be_relative(reference: str, whole: str) -> None:
    assert Address.parse("https://giphy.com/media/a.gif").join(reference).whole == whole


@given(st.sampled_from(["", "//", "//[", "https://", "https://[", "http://a@"]), st.text(max_size=60))
@example("https://[", "")
@example("https://[", "a/x.gif")
@example("//", "℀")
def test_a_redirect_leads_to_an_address_or_is_one_clear_error(start: str, rest: str) -> None:
    address = Address.parse("https://giphy.com/media/a.gif")

    try:
        assert address.join(start + rest).whole.isascii()
    except InvalidAddress as error:
        assert error.message.startswith("invalid address: ")


@given(
    st.text(max_size=60),
    st.sampled_from(["", "http://", "https://", "https://giphy.com", "http://[", "http://a@"]),
)
def test_any_text_as_an_address(rest: str, start: str) -> None:
    try:
        address = Address.parse(start + rest)
    except InvalidAddress as error:
        assert error.message.startswith("invalid address: ")
        return

    assert address.whole.isascii()
    assert Address.parse(address.whole) == address
    assert "@" not in address.authority
