from __future__ import annotations

import asyncio
import dataclasses
import gzip
import logging
import socket
import ssl
from collections.abc import Callable

import httpcore
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from gateway.fetch.address import DEFAULT_HOSTS, FetchSettings, HostRule
from gateway.fetch.fetcher import Fetcher
from services.errors import (
    AddressRefused,
    AnalyzerError,
    FetchError,
    FetchFailed,
    FetchTimeout,
    GifTooLarge,
    NotFetchable,
)
from tests.support.local_host import NO_TRUST, PUBLIC, Detour, LocalHost, Names, http_answer, redirect

OpenHost = Callable[..., LocalHost]

GIF = b"GIF89a" + bytes(range(256)) * 40


def rules(*texts: str) -> tuple[HostRule, ...]:
    return tuple(HostRule.parse(text) for text in texts)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA) -> ssl.SSLContext:
    """A client's view: this authority and no other."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def certificate(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


class Fetch:
    """A fetcher whose connections all lead to one local host; names resolve to a public address.

    Attributes:
        detour: that tells where they were to go.
        names: that tells what was looked up.
    """

    def __init__(
        self,
        host: LocalHost,
        *,
        names: Names | None = None,
        tls: ssl.SSLContext | None = None,
        hosts: tuple[HostRule, ...] = DEFAULT_HOSTS,
        **settings: float,
    ) -> None:
        self.detour = Detour(host)
        self.names = names or Names()
        self._fetcher = Fetcher(
            dataclasses.replace(FetchSettings(hosts=hosts), **settings),  # type: ignore[arg-type]
            resolver=self.names,
            connector=self.detour,
            tls=tls or NO_TRUST,
        )

    def __call__(self, url: str) -> bytes:
        return asyncio.run(self._fetcher(url))


# Requests


def test_gif_is_fetched_with_a_bare_request(open_host: OpenHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host = open_host({"/media/abc/giphy.gif?cid=1": http_answer(GIF, Set_Cookie="a=b")})
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    fetch = Fetch(host)

    contents = [fetch("http://media.giphy.com/media/abc/giphy.gif?cid=1#x") for _ in range(2)]

    assert contents == [GIF, GIF]
    assert fetch.detour.dialled == [(PUBLIC, 80)] * 2
    assert fetch.names.asked == ["media.giphy.com"] * 2
    for head in host.asked:
        assert head.splitlines() == [
            "GET /media/abc/giphy.gif?cid=1 HTTP/1.1",
            "Host: media.giphy.com",
            "Accept: image/gif, */*;q=0.1",
            "Accept-Encoding: identity",
            "User-Agent: gif-analyzer",
            "",
        ]


def test_tls_uses_the_name(open_host: OpenHost, authority: trustme.CA, trusted: ssl.SSLContext) -> None:
    tls, shown = certificate(authority, "media.tenor.com"), []
    tls.sni_callback = lambda _socket, name, _context: shown.append(name)
    fetch = Fetch(open_host({"/a.gif": http_answer(GIF)}, tls=tls), tls=trusted)

    assert fetch("https://media.tenor.com/a.gif") == GIF
    assert fetch.detour.dialled == [(PUBLIC, 443)]
    assert shown == ["media.tenor.com"]


@pytest.mark.parametrize(
    ("name", "known", "why"),
    [
        ("example.org", True, r"its certificate does not hold \(Hostname mismatch"),
        ("media.tenor.com", False, r"its certificate does not hold \(unable to get local issuer"),
        ("", True, "TLS failed"),  # a host without TLS
    ],
)
def test_host_without_a_valid_certificate_is_refused(
    open_host: OpenHost, authority: trustme.CA, trusted: ssl.SSLContext, *, name: str, known: bool, why: str
) -> None:
    tls, greeting = (certificate(authority, name), b"") if name else (None, b"SSH-2.0-OpenSSH_9.9\r\n")
    host = open_host({"/a.gif": http_answer(GIF)}, tls=tls, greeting=greeting)
    fetcher = Fetcher(
        FetchSettings(), resolver=Names(), connector=Detour(host), tls=trusted if known else None
    )

    with pytest.raises(FetchFailed, match=rf"cannot fetch from media\.tenor\.com: {why}"):
        asyncio.run(fetcher("https://media.tenor.com/a.gif"))
    assert host.asked == []


CHUNKS = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (GIF[:5], GIF[5:], b""))


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n" + GIF, GIF),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, GIF),
        (http_answer(GIF, length=6), b"GIF89a"),
    ],
    ids=["without a length", "in chunks", "longer than its length"],
)
def test_body_is_read_to_its_end(open_host: OpenHost, answer: bytes, content: bytes) -> None:
    assert Fetch(open_host({"/a.gif": answer}))("http://giphy.com/a.gif") == content


def test_second_ip_address_is_tried(open_host: OpenHost) -> None:
    class FirstIsDown(Detour):
        async def connect_tcp(self, host: str, *rest: object, **more: object) -> object:  # type: ignore[override]
            if host == "2606:4700::1111":
                self.dialled.append((host, 0))
                raise httpcore.ConnectError("down")
            return await super().connect_tcp(host, *rest, **more)  # type: ignore[arg-type]

    detour = FirstIsDown(open_host({"/a.gif": http_answer(GIF)}))
    names = Names({"giphy.com": [["2606:4700::1111", PUBLIC]]})
    fetcher = Fetcher(FetchSettings(), resolver=names, connector=detour, tls=NO_TRUST)

    assert asyncio.run(fetcher("http://giphy.com/a.gif")) == GIF
    assert [host for host, _ in detour.dialled] == ["2606:4700::1111", PUBLIC]
    assert names.asked == ["giphy.com"]


# Redirects


@pytest.mark.parametrize(
    "status",
    [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ],
)
@pytest.mark.parametrize(
    "location", ["/b.gif", "b.gif", "//media.giphy.com/b.gif", "http://media.giphy.com/b.gif"]
)
def test_a_redirect_is_followed(open_host: OpenHost, status: str, location: str) -> None:
    fetch = Fetch(open_host({"/a.gif": redirect(location, status), "/b.gif": http_answer(GIF)}))

    assert fetch("http://media.giphy.com/a.gif") == GIF
    assert fetch.names.asked == ["media.giphy.com"] * 2  # once for each hop


def test_limit_of_redirects(open_host: OpenHost) -> None:
    chain = {f"/{number}": redirect(f"/{number + 1}") for number in range(9)}
    host = open_host({**chain, "/9": http_answer(GIF)})

    assert Fetch(host)("http://giphy.com/6") == GIF
    with pytest.raises(NotFetchable, match=r"giphy\.com: it redirects further after 3 redirects"):
        Fetch(host)("http://giphy.com/5")
    assert host.connections == 4 + 4


def test_redirect_to_http_is_refused(
    open_host: OpenHost, authority: trustme.CA, trusted: ssl.SSLContext
) -> None:
    host = open_host({"/a.gif": redirect("http://giphy.com/a.gif")}, tls=certificate(authority, "giphy.com"))

    with pytest.raises(AddressRefused, match=r"giphy\.com: it redirects from https to http"):
        Fetch(host, tls=trusted)("https://giphy.com/a.gif")
    assert host.connections == 1


def test_a_redirect_that_names_no_place_is_one_clear_error(open_host: OpenHost) -> None:
    with pytest.raises(FetchFailed, match="it answered 302 Found without saying where to"):
        Fetch(open_host({"/a": http_answer(status="302 Found")}))("http://giphy.com/a")


# Pages


def test_giphy_page_is_not_requested(
    open_host: OpenHost, authority: trustme.CA, trusted: ssl.SSLContext
) -> None:
    host = open_host(
        {"/media/abc123/giphy.gif": http_answer(GIF)}, tls=certificate(authority, "media.giphy.com")
    )
    fetch = Fetch(host, tls=trusted)

    assert fetch("https://giphy.com/gifs/cat-funny-abc123") == GIF
    assert fetch.names.asked == ["media.giphy.com"]


def test_giphy_short_address(open_host: OpenHost, authority: trustme.CA, trusted: ssl.SSLContext) -> None:
    host = open_host(
        {
            "/g/xyz": redirect("https://giphy.com/gifs/cat-abc123"),
            "/media/abc123/giphy.gif": http_answer(GIF),
        },
        tls=certificate(authority, "media.giphy.com", "gph.is"),
    )
    fetch = Fetch(host, tls=trusted)

    assert fetch("https://gph.is/g/xyz") == GIF
    assert fetch.names.asked == ["gph.is", "media.giphy.com"]


def tenor_page(*media: str) -> bytes:
    tags = "".join(f'<meta property="og:image" content="{address}">' for address in media)
    return http_answer(f"<html><head>{tags}</head>".encode(), Content_Type="text/html; charset=utf-8")


def test_tenor_page(open_host: OpenHost, authority: trustme.CA, trusted: ssl.SSLContext) -> None:
    page = tenor_page(
        "https://evil.example/a.gif",
        "https://media1.tenor.com@evil.example/a.gif",
        "https://media1.tenor.com/m/abc/cat.gif",
    )
    host = open_host(
        {"/view/cat-gif-1": page, "/m/abc/cat.gif": http_answer(GIF)},
        tls=certificate(authority, "tenor.com", "media1.tenor.com"),
    )
    fetch = Fetch(host, tls=trusted)

    assert fetch("https://tenor.com/view/cat-gif-1") == GIF
    assert fetch.names.asked == ["tenor.com", "media1.tenor.com"]


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (tenor_page("http://media1.tenor.com/cat.svg"), "its page names no GIF"),
        (tenor_page("x" * 2000, "/a.gif"), "its page names no GIF"),  # only behind the limit
        (tenor_page("/b.gif"), "it redirects further after a page"),  # to another page
    ],
)
def test_page_without_a_gif(open_host: OpenHost, page: bytes, why: str) -> None:
    host = open_host({"/view/cat-1": page, "/b.gif": tenor_page("/b.gif")})

    with pytest.raises(NotFetchable, match=rf"tenor\.com: {why}"):
        Fetch(host, page_max_bytes=2000)("http://tenor.com/view/cat-1")


def test_gif_at_the_address_of_a_page(open_host: OpenHost) -> None:
    fetch = Fetch(open_host({"/bqrZK.gif": http_answer(GIF, Content_Type="image/gif")}))

    assert fetch("http://tenor.com/bqrZK.gif") == GIF


# Limits


def test_length_limit_of_a_file(open_host: OpenHost) -> None:
    host = open_host({"/a.gif": http_answer(GIF)})

    assert Fetch(host, max_bytes=len(GIF))("http://giphy.com/a.gif") == GIF
    with pytest.raises(GifTooLarge, match="limited to 10,245 bytes, this one has 10,246"):
        Fetch(host, max_bytes=len(GIF) - 1)("http://giphy.com/a.gif")


def test_endless_body_is_cut_at_the_limit(open_host: OpenHost) -> None:
    sent = []

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)
            sent.append(65536)

    with pytest.raises(GifTooLarge, match="this one has at least 100,001"):
        Fetch(open_host({"/a.gif": endless}), max_bytes=100_000)("http://giphy.com/a.gif")
    assert sum(sent) < 20_000_000  # what the buffers of the sockets took


def trickle(host: LocalHost, head: bytes, part: bytes) -> Callable[[socket.socket], None]:
    """Send a head, and then one part after another, each soon enough to seem alive."""

    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        while not host.wait(0.02):
            connection.sendall(part)

    return send


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["silent", "endless head", "continue", "slow body", "slow chunks"],
)
def test_slow_host_times_out(open_host: OpenHost, head: bytes, part: bytes) -> None:
    host = open_host()
    host.answers["/a.gif"] = trickle(host, head, part)

    with pytest.raises(FetchTimeout, match=r"giphy\.com did not send the file within 0\.3 s"):
        Fetch(host, timeout_s=0.3)("http://giphy.com/a.gif")


def test_timeout_covers_all_hops(open_host: OpenHost) -> None:
    def late(connection: socket.socket) -> None:
        host.wait(0.2)
        connection.sendall(redirect("/a"))

    host = open_host({"/a": late})

    with pytest.raises(FetchTimeout):
        Fetch(host, timeout_s=0.3)("http://giphy.com/a")


def test_silent_resolver_times_out(open_host: OpenHost) -> None:
    class Silent(Names):
        async def __call__(self, host: str, port: int) -> list[str]:
            await asyncio.sleep(60)
            return [PUBLIC]

    fetch = Fetch(open_host(), names=Silent(), connect_s=0.1)

    with pytest.raises(FetchTimeout, match=r"within 0\.1 s"):
        fetch("http://giphy.com/a.gif")
    assert fetch.detour.dialled == []


# Broken answers


def broken(head: bytes, body: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(head + b"\r\n\r\n" + body)


def half_closed(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nGIF89a")
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)


def reset(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nGIF89a")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


BROKEN: dict[str, Callable[[socket.socket], None]] = {
    "half closed": half_closed,
    "reset": reset,
    "hung up": lambda connection: None,
    "not HTTP": broken(b"SSH-2.0-OpenSSH_9.9", b""),
    "length no number": broken(b"HTTP/1.1 200 OK\r\nContent-Length: many", b"GIF89a"),
    "length negative": broken(b"HTTP/1.1 200 OK\r\nContent-Length: -1", b"GIF89a"),
    "two lengths": broken(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2", b"GIF89a"),
    "length of 5000 digits": broken(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000, b"GIF89a"),
    "encoded transfer": broken(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", gzip.compress(GIF)),
    "broken chunks": broken(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"zz\r\n"),
    "cut off chunks": broken(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"5\r\nGIF89"),
    "a head without end": broken(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 500_000, b""),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_broken_answer(open_host: OpenHost, answer: Callable[[socket.socket], None]) -> None:
    with pytest.raises(FetchFailed, match=r"giphy\.com: its answer broke off or is not HTTP"):
        Fetch(open_host({"/a.gif": answer}))("http://giphy.com/a.gif")


@given(
    st.sampled_from(
        [
            b"",
            b"HTTP/1.1 ",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<meta property=og:image content=",
            b"HTTP/1.1 200 OK\r\nContent-Encoding:",
            b"HTTP/1.1 302 Found\r\nLocation: ",
            b"HTTP/1.1 302 Found\r\nLocation: http://",
        ]
    ),
    st.binary(max_size=200),
    st.sampled_from([b"", b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\nx"]),
)
def test_any_answer_is_a_file_or_an_error(head: bytes, middle: bytes, end: bytes) -> None:
    host = httpcore.AsyncMockBackend([head + middle + end])
    fetcher = Fetcher(FetchSettings(hosts=rules("*")), resolver=Names(), connector=host, tls=NO_TRUST)

    try:
        assert isinstance(asyncio.run(fetcher("http://tenor.com/view/a")), bytes)
    except AnalyzerError as error:
        assert error.reason in ("INVALID_ADDRESS", "ADDRESS_REFUSED", "NOT_FETCHABLE", "FETCH_FAILED")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, identity"])
def test_a_compressed_body_is_refused_unread(open_host: OpenHost, encoding: str) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    host = open_host({"/a.gif": http_answer(bomb, Content_Encoding=encoding)})

    with pytest.raises(FetchFailed, match="it sent the file compressed"):
        Fetch(host)("http://giphy.com/a.gif")


@pytest.mark.parametrize(
    ("status", "says", "kind"),
    [
        ("404 Not Found", "404 Not Found", NotFetchable),
        ("410 Gone", "410 Gone", NotFetchable),
        ("403 Forbidden", "403 Forbidden", NotFetchable),
        ("429 Slow down", "429 Too Many Requests", FetchFailed),
        ("408 Request Timeout", "408 Request Timeout", FetchFailed),
        ("500 Oops", "500 Internal Server Error", FetchFailed),
        ("503 Busy", "503 Service Unavailable", FetchFailed),
        ("204 No Content", "204 No Content", FetchFailed),
        ("206 Partial Content", "206 Partial Content", FetchFailed),
        ("304 Not Modified", "304 Not Modified", FetchFailed),
        ("799 Odd", "799", FetchFailed),
    ],
)
def test_http_error_is_quoted_and_is_final_or_may_pass(
    open_host: OpenHost, status: str, says: str, kind: type[FetchError]
) -> None:
    host = open_host({"/a.gif": http_answer(status=status)})

    with pytest.raises(kind, match=rf"fetch from giphy\.com: it answered {says}$"):
        Fetch(host)("http://giphy.com/a.gif")


@pytest.mark.parametrize(
    ("code", "kind", "why"),
    [
        (socket.EAI_NONAME, NotFetchable, "its name has no address"),
        (socket.EAI_AGAIN, FetchFailed, "its name cannot be resolved now"),
    ],
    ids=["no such name", "no answer"],
)
def test_a_name_without_an_address_is_one_clear_error(code: int, kind: type[FetchError], why: str) -> None:
    async def resolver(host: str, port: int) -> list[str]:
        raise socket.gaierror(code, "as getaddrinfo says")

    with pytest.raises(kind, match=rf"fetch from none\.invalid: {why}$"):
        asyncio.run(Fetcher(FetchSettings(hosts=rules("*")), resolver=resolver)("http://none.invalid/a.gif"))


def test_a_closed_port_is_one_clear_error(open_host: OpenHost) -> None:
    host = open_host()
    host.close()

    with pytest.raises(FetchFailed, match=r"cannot fetch from giphy\.com: it cannot be reached"):
        Fetch(host)("http://giphy.com/a.gif")


# Which hosts are allowed


@pytest.mark.parametrize(
    ("hosts", "url", "allowed"),
    [
        ("giphy.com", "http://giphy.com/a", True),
        ("giphy.com", "http://giphy.com:8080/a", False),
        ("giphy.com", "https://giphy.com:80/a", False),
        ("giphy.com", "http://media.giphy.com/a", False),
        ("*.giphy.com", "http://a.media.giphy.com/a", True),
        ("*.giphy.com", "http://giphy.com/a", False),
        ("*.giphy.com", "http://notgiphy.com/a", False),
        ("*.giphy.com", "http://giphy.com.example.org/a", False),
        ("giphy.com:8080", "http://giphy.com:8080/a", True),
        ("giphy.com:8080", "http://giphy.com/a", False),
        ("*", "http://example.org/a", True),
        ("*", "http://example.org:22/a", False),
        ("*", f"http://{PUBLIC}/a", True),
        ("*:8080", "http://example.org:8080/a", True),
        (PUBLIC, f"http://{PUBLIC}/a", True),
        ("[2606:4700::1111]", "http://[2606:4700::1111]/a", True),
    ],
)
def test_allowed_hosts(open_host: OpenHost, hosts: str, url: str, allowed: bool) -> None:
    fetch = Fetch(open_host({"/a": http_answer(GIF)}), hosts=rules(hosts))

    if allowed:
        assert fetch(url) == GIF
    else:
        with pytest.raises(AddressRefused, match="is not allowed; GIF_ANALYZER_FETCH_HOSTS allows more"):
            fetch(url)
        assert fetch.names.asked == fetch.detour.dialled == []


@pytest.mark.parametrize(
    "host",
    [
        *["giphy.com", "www.giphy.com", "media.giphy.com", *(f"media{n}.giphy.com" for n in range(10))],
        *["i.giphy.com", "gph.is", "tenor.com", "www.tenor.com", "media.tenor.com", "media1.tenor.com"],
        "c.tenor.com",
    ],
)
def test_the_hosts_of_giphy_and_tenor_are_allowed_by_default(open_host: OpenHost, host: str) -> None:
    assert Fetch(open_host({"/a": http_answer(GIF)}))(f"http://{host}/a") == GIF


# Concurrency and logs


def test_many_tasks_share_a_fetcher(open_host: OpenHost) -> None:
    host = open_host({f"/{number}": http_answer(GIF + bytes([number])) for number in range(20)})
    fetcher = Fetcher(FetchSettings(), resolver=Names(), connector=Detour(host), tls=NO_TRUST)

    async def fetch_all() -> list[bytes]:
        try:
            return await asyncio.gather(*(fetcher(f"http://giphy.com/{number}") for number in range(20)))
        finally:
            await fetcher.aclose()

    assert [content[-1] for content in asyncio.run(fetch_all())] == list(range(20))


def test_no_log_says_which_gif_was_fetched(open_host: OpenHost, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    host = open_host(
        {
            "/private/a.gif?key=secret": redirect("/private/b.gif?key=secret"),
            "/private/b.gif?key=secret": http_answer(GIF),
        }
    )

    Fetch(host)("http://giphy.com/private/a.gif?key=secret")
    with pytest.raises(NotFetchable) as caught:
        Fetch(host)("http://giphy.com/none?key=secret")

    [record] = [record for record in caplog.records if record.name == "gateway.fetch.fetcher"]
    assert vars(record)["host"] == "giphy.com"
    assert vars(record)["bytes"] == len(GIF)
    told = [str(vars(record)) for record in caplog.records] + [
        caught.value.message,
        str(caught.value.details),
    ]
    assert not [line for line in told if "secret" in line or "private" in line]
