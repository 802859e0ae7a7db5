"""Fetches the bytes of a GIF from its address, or from a page about it, within limits.

The caller chooses what this machine requests. So at every hop the address is parsed strictly and its host
must be allowed (`gateway.fetch.address`), and the connection goes to an IP address that was checked to be
public (`gateway.fetch.connection`). The request has no cookies, no credentials and no headers of the caller,
and proxies of the environment are not used.

The client is httpcore, the engine of httpx, because it allows to open the connections here. What httpx adds
(redirects, cookies, proxies, decompression, whole addresses in the log) would all have to be turned off.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable

import httpcore

from gateway.fetch import media_page
from gateway.fetch.address import Address, FetchSettings
from gateway.fetch.connection import PinnedBackend, Resolver, resolve
from services import tracing
from services.errors import (
    AddressRefused,
    FetchFailed,
    FetchTimeout,
    GifTooLarge,
    InvalidAddress,
    NotFetchable,
)
from services.preprocess.formats.video import has_pyav

_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 421, 423, 425, 429)  # statuses below 500 of a host that may send the file later
_HEADERS = [
    ("Accept", "image/gif, */*;q=0.1"),  # Giphy sends its page, or a WebP, to clients that prefer one
    ("Accept-Encoding", "identity"),
    ("User-Agent", "gif-analyzer"),
]

_log = logging.getLogger(__name__)


class Fetcher:
    """Fetches GIFs by their address. Tasks may share one, also in one event loop after another.

    Args:
        settings: what may be fetched, and its limits.
        resolver: name, port -> IP addresses.
        connector: opens connections to checked IP addresses; None uses the network.
        tls: trusted authorities; None is those of certifi.
        arrived: called with the number of bytes of each part that is kept; what it raises ends the fetch.
    """

    def __init__(
        self,
        settings: FetchSettings,
        *,
        resolver: Resolver = resolve,
        connector: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        arrived: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._settings, self._arrived = settings, arrived
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpcore.default_ssl_context(),
            max_connections=None,  # the callers limit them
            max_keepalive_connections=0,  # a connection serves one request: no name is trusted for longer
            network_backend=PinnedBackend(resolver, connector or httpcore.AnyIOBackend()),
        )
        # Its debug lines contain headers, and so addresses with their queries.
        logging.getLogger("httpcore").setLevel(logging.INFO)

    async def __call__(self, url: str) -> bytes:
        """Fetch one whole file. Its bytes are not checked to be a GIF.

        Raises:
            InvalidAddress: the address, or one that it led to, is not written plainly.
            AddressRefused: its host is not allowed, or not on the public internet.
            NotFetchable: there is no file at the address.
            FetchFailed: the host did not send the file.
            FetchTimeout: it did not do so in time.
            GifTooLarge: the file is longer than the limit.
        """
        address = Address.parse(url)
        begun = time.monotonic()
        # The host is all of the address that a trace may hold, and the host gets no header of the trace.
        with tracing.step("fetch", "client", {"server.address": address.host}) as span:
            try:
                async with asyncio.timeout(self._settings.timeout_s):
                    content = await self._follow(address)
            except TimeoutError as error:
                raise FetchTimeout(address.host, timeout_s=self._settings.timeout_s) from error
            span.set({"gif_analyzer.bytes": len(content)})
        _log.info(
            "fetched",
            extra={
                "host": address.host,  # and no more: the path says which GIF a user looks at
                "bytes": len(content),
                "seconds": round(time.monotonic() - begun, 3),
            },
        )
        return content

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def _follow(self, address: Address) -> bytes:
        """Follow redirects, and at most one page, to the file of an address."""
        redirects, pages = 0, 0
        while True:
            address = media_page.media_by_id(address) or address
            if not any(rule.allows(address) for rule in self._settings.hosts):
                why = f"this host is not allowed; {self._settings.allowed_by} allows more"
                raise AddressRefused(address.authority, why)
            async with self._request(address) as response:
                if response.status in _REDIRECTS:
                    redirects += 1
                    following = address.join(_location(response, address))
                elif response.status != 200:
                    kind = NotFetchable if _is_final(response.status) else FetchFailed
                    raise kind(address.host, f"it answered {_phrase(response.status)}")
                elif media_page.is_page(address) and _content_type(response) == "text/html":
                    pages += 1
                    page = await self._read_start(response, address, self._settings.page_max_bytes)
                    following = self._declared(page, address)
                else:
                    return await self._read(response, address, self._settings.max_bytes)
            if redirects > self._settings.max_redirects or pages > 1:
                what = "a page" if pages > 1 else f"{self._settings.max_redirects} redirects"
                raise NotFetchable(address.host, f"it redirects further after {what}")
            if address.scheme == "https" and following.scheme == "http":
                raise AddressRefused(following.host, "it redirects from https to http")
            address = following

    def _declared(self, page: bytes, address: Address) -> Address:
        """Return the best file that a page declares at an allowed host."""
        for text in media_page.media_in(page, videos=has_pyav()):
            with contextlib.suppress(InvalidAddress):
                media = address.join(text)
                if any(rule.allows(media) for rule in self._settings.hosts):
                    return media
        raise NotFetchable(address.host, "its page names no GIF")

    async def _read(self, response: httpcore.Response, address: Address, limit: int) -> bytes:
        """Read a whole response; one that is, or claims to be, longer than the limit raises GifTooLarge."""
        declared = _header(response, b"content-length")
        if declared is not None and int(declared) > limit:
            raise GifTooLarge("length", allowed=limit, found=int(declared), unit="bytes")
        content = await self._read_start(response, address, limit + 1)
        if len(content) > limit:
            raise GifTooLarge("length", allowed=limit, found=len(content), unit="bytes", at_least=True)
        return content

    async def _read_start(self, response: httpcore.Response, address: Address, limit: int) -> bytes:
        """Read the first `limit` bytes of a response; nothing is decompressed."""
        encoding = (_header(response, b"content-encoding") or b"identity").decode("latin-1").lower()
        if encoding not in ("", "identity"):
            raise FetchFailed(address.host, "it sent the file compressed, which was not requested")
        content = bytearray()
        async for part in response.aiter_stream():
            content += part
            self._arrived(len(part))
            if len(content) >= limit:
                break
        del content[limit:]
        return bytes(content)

    @contextlib.asynccontextmanager
    async def _request(self, address: Address) -> AsyncIterator[httpcore.Response]:
        """Send one request, and raise errors of httpcore as `FetchError`."""
        try:
            async with self._pool.stream(
                "GET",
                httpcore.URL(
                    scheme=address.scheme, host=address.host, port=address.port, target=address.target
                ),
                headers=[("Host", address.authority), *_HEADERS],
                extensions={"timeout": {"connect": self._settings.connect_s}},
            ) as response:
                yield response
        except httpcore.ConnectTimeout as error:
            raise FetchTimeout(address.host, timeout_s=self._settings.connect_s) from error
        except (httpcore.ConnectError, ssl.SSLError) as error:
            raise FetchFailed(address.host, _why_unconnected(error)) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise FetchFailed(address.host, "its answer broke off or is not HTTP") from error


def _why_unconnected(error: Exception) -> str:
    cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error  # of httpcore
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate does not hold ({cause.verify_message.rstrip('.')})"
    return "TLS failed" if isinstance(cause, ssl.SSLError) else "it cannot be reached"


def _is_final(status: int) -> bool:
    """Whether a host with this status will not send the file later either, such as 404."""
    return 400 <= status < 500 and status not in _PASSING


def _phrase(status: int) -> str:
    """Return a status with its phrase, e.g. 404 Not Found."""
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _header(response: httpcore.Response, name: bytes) -> bytes | None:
    return next((value for key, value in response.headers if key.lower() == name), None)


def _content_type(response: httpcore.Response) -> str:
    return (_header(response, b"content-type") or b"").decode("latin-1").partition(";")[0].strip().lower()


def _location(response: httpcore.Response, address: Address) -> str:
    location = _header(response, b"location")
    if location is None:
        raise FetchFailed(address.host, f"it answered {_phrase(response.status)} without saying where to")
    try:
        return location.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidAddress("a redirect leads to what is not text") from error
