"""Addresses of private networks are refused without a connection (SSRF).

Every host and port is allowed here, so it is not the list of hosts that refuses them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import httpcore
import pytest

from gateway.fetch.address import FetchSettings, HostRule
from gateway.fetch.fetcher import Fetcher
from services.errors import AddressRefused, AnalyzerError, FetchFailed, InvalidAddress, NotFetchable
from tests.support.local_host import NO_TRUST, PUBLIC, Detour, LocalHost, Names, http_answer, redirect

OpenHost = Callable[..., LocalHost]

NUMBERS = "an IP address is written as four decimal numbers"
NO_NAME = "its host is not the name of one"
USER = "it holds a user name or a password"
UNPRINTABLE = "it holds a blank or a control character"
SCHEME = "it must begin with http:// or https://"
ASCII = "its host must be written in ASCII"
NOT_PUBLIC = "it is not on the public internet"

# PORT is where a real server listens, at 127.0.0.1.
INVALID = {
    # IPv4 in other forms, as some programs read them
    "http://2130706433:PORT/": NUMBERS,
    "http://0x7f000001:PORT/": NUMBERS,
    "http://0x7f.0.0.1:PORT/": NUMBERS,
    "http://0X7F.0X0.0X0.0X1:PORT/": NUMBERS,
    "http://017700000001:PORT/": NUMBERS,
    "http://0177.0.0.1:PORT/": NUMBERS,
    "http://127.000.000.001:PORT/": NUMBERS,
    "http://127.1:PORT/": NUMBERS,
    "http://127.0.1:PORT/": NUMBERS,
    "http://0:PORT/": NUMBERS,
    "http://127.0.0.1.:PORT/": NO_NAME,
    "http://127.0.0.256:PORT/": NUMBERS,
    "http://127.0.0.1.2:PORT/": NUMBERS,
    "http://giphy.com.0x7f:PORT/": NUMBERS,
    "http://127\u30020\u30020\u30021:PORT/": ASCII,
    "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:PORT/": ASCII,
    "http://%31%32%37.0.0.1:PORT/": NO_NAME,
    # IPv6
    "http://[::1%25lo]:PORT/": NO_NAME,
    "http://[fe80::1%25eth0]:PORT/": NO_NAME,
    "http://[::1:PORT/": NO_NAME,
    "http://::1:PORT/": NO_NAME,
    "http://[127.0.0.1]:PORT/": "its host is not an IPv6 address",
    "http://[::127.1]:PORT/": "its host is not an IPv6 address",
    "http://[v1.fe80::a]:PORT/": NO_NAME,
    # Who is asked, and who seems to be
    "http://giphy.com@127.0.0.1:PORT/": USER,
    "http://giphy.com:80@127.0.0.1:PORT/": USER,
    "http://127.0.0.1:PORT@giphy.com/": USER,
    "http://@127.0.0.1:PORT/": USER,
    "http://giphy.com%40127.0.0.1:PORT/": NO_NAME,
    "http://giphy.com\\@127.0.0.1:PORT/": "it holds a backslash",
    "http://127.0.0.1:PORT\\.giphy.com/": "it holds a backslash",
    "http:\\\\127.0.0.1:PORT\\": "it holds a backslash",
    "http://127.0.0.1:PORT:80/": NO_NAME,
    "http://giphy.com,127.0.0.1:PORT/": NO_NAME,
    "http://127.0.0.1;giphy.com:PORT/": NO_NAME,
    # Blanks and control characters, which some programs drop
    " http://127.0.0.1:PORT/": UNPRINTABLE,
    "http://127.0.0.1:PORT/ ": UNPRINTABLE,
    "ht\ttp://127.0.0.1:PORT/": UNPRINTABLE,
    "http://127.0.\n0.1:PORT/": UNPRINTABLE,
    "http://giphy.com\r\nHost: 127.0.0.1:PORT/": UNPRINTABLE,
    "http://giphy.com/a HTTP/1.1\r\nX: y\r\n\r\nGET http://127.0.0.1:PORT/": UNPRINTABLE,
    "http://127.0.0.1\x00.giphy.com:PORT/": UNPRINTABLE,
    "http://127.0.0.1\u2028:PORT/": UNPRINTABLE,
    # Names
    "http://localhost.:PORT/": NO_NAME,
    "http://giphy.com.:PORT/": NO_NAME,
    "http://.giphy.com:PORT/": NO_NAME,
    "http://giphy..com:PORT/": NO_NAME,
    "http://g\u0456phy.com:PORT/": ASCII,  # the second letter is Cyrillic
    "http://giphy.com\u2044.127.0.0.1:PORT/": ASCII,  # not a slash
    "http://\u24dbocalhost:PORT/": ASCII,
    "http://-giphy.com:PORT/": NO_NAME,
    f"http://{'a' * 64}.com:PORT/": NO_NAME,
    "http://:PORT/": NO_NAME,
    "http:///127.0.0.1:PORT/": "it names no host",
    "http:/127.0.0.1:PORT/": SCHEME,
    "http:127.0.0.1:PORT/": SCHEME,
    "//127.0.0.1:PORT/": SCHEME,
    "127.0.0.1:PORT/": SCHEME,
    "": SCHEME,
    f"http://giphy.com/{'a' * 2000}": "it is longer than 2,000 characters",
    # Ports
    "http://127.0.0.1:0/": "its port is out of range",
    "http://127.0.0.1:65536/": "its port is out of range",
    "http://127.0.0.1:-1/": NO_NAME,
    "http://127.0.0.1:0x50/": NO_NAME,
    "http://127.0.0.1:\uff18\uff10/": ASCII,
    "http://127.0.0.1:/": NO_NAME,
    # Other schemes
    "file:///etc/passwd": SCHEME,
    "file://127.0.0.1/etc/passwd": SCHEME,
    "gopher://127.0.0.1:PORT/_GET": SCHEME,
    "ftp://127.0.0.1:PORT/": SCHEME,
    "dict://127.0.0.1:PORT/info": SCHEME,
    "ldap://127.0.0.1:PORT/": SCHEME,
    "unix:///var/run/docker.sock": SCHEME,
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/": SCHEME,
    "data:image/gif;base64,R0lGODlhAQABAAAAACw=": SCHEME,
    "javascript:alert(1)": SCHEME,
    "ws://127.0.0.1:PORT/": SCHEME,
    "jar:http://127.0.0.1:PORT/!/": SCHEME,
    "url:http://127.0.0.1:PORT/": SCHEME,
    "\ud800http://127.0.0.1:PORT/": "it holds half a character",
}
NOT_ALLOWED = {  # test_internet.py has every kind
    "http://127.0.0.1:PORT/": "loopback",
    "https://127.0.0.1:PORT/": "loopback",
    "http://0.0.0.0:PORT/": "this network",
    "http://169.254.169.254/latest/meta-data/": "link-local",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/": "loopback",
    "http://[::FFFF:10.0.0.1]:PORT/": "IPv4-mapped",
    "http://[64:ff9b::7f00:1]:PORT/": "translated to IPv4, loopback",
    "http://[fd00:ec2::254]/latest/": "unique-local",
}


class Spy(httpcore.AnyIOBackend):
    """The network as it is, with every connection remembered."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def connect_tcp(self, host: str, *rest: object, **more: object) -> httpcore.AsyncNetworkStream:  # type: ignore[override]
        self.dialled.append(host)
        return await super().connect_tcp(host, *rest, **more)  # type: ignore[arg-type]


def fetcher_for(port: int, **options: Any) -> Fetcher:
    """A fetcher that may ask every host, also at this port."""
    settings = FetchSettings(hosts=(HostRule("*"), HostRule("*", port=port)), timeout_s=30)
    return Fetcher(settings, tls=NO_TRUST, **options)


def refused(fetcher: Fetcher, url: str) -> AnalyzerError:
    with pytest.raises(AnalyzerError) as caught:
        asyncio.run(fetcher(url))
    return caught.value


@pytest.mark.parametrize(("url", "why"), INVALID.items(), ids=map(ascii, INVALID))
def test_an_address_that_is_not_plain_is_refused(open_host: OpenHost, url: str, why: str) -> None:
    host, spy, names = open_host(), Spy(), Names()

    error = refused(
        fetcher_for(host.port, resolver=names, connector=spy), url.replace("PORT", str(host.port))
    )

    assert type(error) is InvalidAddress
    assert error.message.startswith(f"invalid address: {why}")
    assert (names.asked, spy.dialled, host.connections) == ([], [], 0)


@pytest.mark.parametrize(("url", "kind"), NOT_ALLOWED.items(), ids=NOT_ALLOWED)
def test_an_ip_address_that_is_not_public_is_refused(open_host: OpenHost, url: str, kind: str) -> None:
    host, spy = open_host(), Spy()

    error = refused(fetcher_for(host.port, connector=spy), url.replace("PORT", str(host.port)))

    assert type(error) is AddressRefused
    assert error.details["why"] == f"{NOT_PUBLIC} ({kind})"
    assert (spy.dialled, host.connections) == ([], 0)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "ip6-localhost"])
def test_names_of_this_machine_are_refused(open_host: OpenHost, name: str) -> None:
    host, spy = open_host(), Spy()

    error = refused(fetcher_for(host.port, connector=spy), f"http://{name}:{host.port}/")

    # Not every machine knows each of these names.
    assert isinstance(error, AddressRefused | NotFetchable | FetchFailed)
    assert (spy.dialled, host.connections) == ([], 0)


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        [PUBLIC, "127.0.0.1"],
        [PUBLIC, "10.0.0.1", PUBLIC],
        [PUBLIC, "::1"],
        ["2606:4700::1111", "fe80::1%eth0"],
        [*[PUBLIC] * 50, "192.168.0.1"],
        ["::ffff:127.0.0.1"],
    ],
)
def test_name_with_a_private_address_is_refused(open_host: OpenHost, answer: list[str]) -> None:
    host, spy, names = open_host(), Spy(), Names({"innocent.example": [answer]})
    fetcher = fetcher_for(host.port, resolver=names, connector=spy)

    error = refused(fetcher, f"http://innocent.example:{host.port}/")

    assert type(error) is AddressRefused
    assert NOT_PUBLIC in error.message
    assert not [address for address in answer if address in error.message]
    assert (names.asked, spy.dialled, host.connections) == (["innocent.example"], [], 0)


def test_rebinding_name_is_resolved_once(open_host: OpenHost) -> None:
    host = open_host({"/a.gif": http_answer(b"GIF89a")})
    detour, names = Detour(host), Names({"rebind.example": [[PUBLIC], ["127.0.0.1"]]})
    fetcher = fetcher_for(host.port, resolver=names, connector=detour)

    assert asyncio.run(fetcher("http://rebind.example/a.gif")) == b"GIF89a"
    assert (names.asked, detour.dialled) == (["rebind.example"], [(PUBLIC, 80)])

    # It has changed by now: the next look-up is checked again.
    error = refused(fetcher, "http://rebind.example/a.gif")

    assert NOT_PUBLIC in error.message
    assert (len(names.asked), detour.dialled, host.connections) == (2, [(PUBLIC, 80)], 1)


def test_name_rebound_between_two_hops(open_host: OpenHost) -> None:
    host = open_host({"/a.gif": redirect("/b.gif")})
    detour, names = Detour(host), Names({"rebind.example": [[PUBLIC], ["127.0.0.1"]]})

    error = refused(fetcher_for(host.port, resolver=names, connector=detour), "http://rebind.example/a.gif")

    assert NOT_PUBLIC in error.message
    assert (detour.dialled, host.connections) == ([(PUBLIC, 80)], 1)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Again", "308 Always"])
@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://127.0.0.1:PORT/", AddressRefused),
        ("//127.0.0.1:PORT/", AddressRefused),
        ("//169.254.169.254/latest/meta-data/", AddressRefused),
        ("http://inward.example:PORT/", AddressRefused),
        ("http://[::1]:PORT/", AddressRefused),
        ("http://giphy.com:22/", AddressRefused),
        ("http://2130706433:PORT/", InvalidAddress),
        ("http://public.example@127.0.0.1:PORT/", InvalidAddress),
        ("/\\127.0.0.1:PORT/", InvalidAddress),
        ("ht\ttp://127.0.0.1:PORT/", InvalidAddress),
        ("file:///etc/passwd", InvalidAddress),
        ("gopher://127.0.0.1:PORT/", InvalidAddress),
        ("\xff", InvalidAddress),
    ],
)
def test_redirect_inward(open_host: OpenHost, status: str, location: str, kind: type[AnalyzerError]) -> None:
    host = open_host()
    answer = redirect(location.replace("PORT", str(host.port)), status)
    host.answers["/a.gif"] = answer.decode().encode("latin-1")
    detour, names = Detour(host), Names({"inward.example": [["10.0.0.1"]]})

    error = refused(fetcher_for(host.port, resolver=names, connector=detour), "http://public.example/a.gif")

    assert type(error) is kind
    assert (detour.dialled, host.connections) == ([(PUBLIC, 80)], 1)


def test_a_page_does_not_lead_inward(open_host: OpenHost) -> None:
    page = b'<meta property="og:image" content="http://127.0.0.1:PORT/a.gif">'
    host = open_host()
    host.answers["/view/a-1"] = http_answer(
        page.replace(b"PORT", str(host.port).encode()), Content_Type="text/html"
    )
    detour = Detour(host)

    error = refused(fetcher_for(host.port, resolver=Names(), connector=detour), "http://tenor.com/view/a-1")

    assert type(error) is AddressRefused
    assert (detour.dialled, host.connections) == ([(PUBLIC, 80)], 1)


def test_local_server_on_ipv6_is_not_reached() -> None:
    try:
        listening = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("This test needs IPv6, which this machine does not have.")
    with listening:
        listening.settimeout(0.1)
        port = listening.getsockname()[1]

        error = refused(fetcher_for(port), f"http://[::1]:{port}/")

        assert type(error) is AddressRefused
        with contextlib.suppress(TimeoutError):
            listening.accept()
            pytest.fail("it was connected")


def test_spy_and_server_notice_connections(open_host: OpenHost) -> None:
    host, spy = open_host({"/": http_answer(b"GIF89a")}), Spy()

    async def ask_plainly() -> bytes:
        async with httpcore.AsyncConnectionPool(network_backend=spy) as pool:
            return (await pool.request("GET", f"http://127.0.0.1:{host.port}/")).content

    assert asyncio.run(ask_plainly()) == b"GIF89a"
    assert (spy.dialled, host.connections) == (["127.0.0.1"], 1)
