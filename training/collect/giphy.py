"""Giphy as a provider of GIFs: its search API, and the files that it finds.

The key is added to a request just before it is sent, below everything that logs or raises: no address in a
log, an error or the journal contains it. Failures that may pass (a dropped connection, a truncated body, a
busy server) are retried with growing pauses; the others are errors at once.

Powered by GIPHY: https://developers.giphy.com/docs/api/endpoint#search
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from services.errors import GifTooLarge
from services.names import UNREADABLE, plain_address
from training.collect.providers import MAX_GIF_BYTES, Found, Gone, Page, Search
from training.collect.quota import Quota, retry_after
from training.collect.shows import MAX_RESULTS, ShowOptions
from training.errors import InvalidOptions, ProviderRefused, ProviderUnavailable

TERMS = (
    "Powered by GIPHY. Giphy's terms hold for these GIFs, and they restrict collections: read them at "
    "https://giphy.com/terms. Name Giphy wherever these GIFs are listed, and never publish them."
)
PAGE = 50  # results of one call, at most
RENDITIONS = ("fixed_height", "downsized", "downsized_medium", "original")  # the first that fits is used
_MAX_RESPONSE = 10_000_000  # bytes of JSON; a page has a few hundred thousand
_MAX_PAUSE_S = 60.0
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_GONE = frozenset({404, 410, 451})
# Lone surrogates, which JSON can hold and UTF-8 cannot, and control characters.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

T = TypeVar("T")


class Giphy:
    """Giphy's search, and its files.

    Args:
        key: of the API.
        shows: to search for.
        quota: of calls to the API; downloads of files do not count.
        api: address of the API, up to its version.
        attempts: of one request, at least 1.
        timeout_s: for a connection, and between two parts of a response, in seconds; a whole response may
            take four times as long.
        backoff_s: first pause before another attempt, in seconds; it doubles with each, up to a minute.
        max_bytes: of one GIF; smaller renditions are preferred anyway.

    Raises:
        InvalidOptions: `api` or the address of a proxy is invalid.
    """

    name = "giphy"
    terms = TERMS
    folder = None

    def __init__(
        self,
        key: str,
        shows: Sequence[ShowOptions],
        quota: Quota,
        *,
        api: str,
        attempts: int,
        timeout_s: float,
        backoff_s: float,
        max_bytes: int = MAX_GIF_BYTES,
    ) -> None:
        self._key, self._shows, self._quota = key, shows, quota
        self._attempts, self._timeout_s, self._backoff_s = attempts, timeout_s, backoff_s
        self._max_bytes = max_bytes
        self._home = _http_address(api)
        self._api = httpx.Client(transport=Signed(key, self._home), timeout=timeout_s, follow_redirects=False)
        # Without this header some of its hosts send an HTML page about the GIF.
        self._files = httpx.Client(timeout=timeout_s, headers={"accept": "image/gif,*/*;q=0.1"})

    def searches(self) -> tuple[Search, ...]:
        """Return one search for each query of each show."""
        return tuple(
            Search(show.title, query, show.rating, show.language, show.results)
            for show in self._shows
            for query in show.queries
        )

    def search(self, search: Search, cursor: str) -> Page:
        """Call the API once; the cursor is the offset.

        An empty page ends a search only where it says so itself: Giphy also sends empty pages while it has
        an outage. Such a page is requested again, and if it stays empty, it is not the end.

        Raises:
            QuotaExhausted: no call is left, and the quota does not wait.
            ProviderRefused: the key or the request is invalid.
            ProviderUnavailable: there was no valid response in all attempts.
        """
        offset = int(cursor or 0)
        parameters: dict[str, str | int] = {
            "q": search.query,
            "limit": min(PAGE, MAX_RESULTS - offset),
            "offset": offset,
            "rating": search.rating,
            "lang": search.language,
        }
        try:
            response = self._retry(lambda: self._call(parameters))
        except _Transient as failure:
            if failure.quota:
                raise self._quota.exhausted() from None
            if failure.empty:
                return Page((), cursor, attempts=self._attempts)
            raise ProviderUnavailable("Giphy", failure.why, attempts=self._attempts) from None
        results = response["data"]
        found = [
            each
            for result in results
            if (each := read_result(result, search, home=self._home, max_bytes=self._max_bytes))
        ]
        following = offset + len(results)
        total = _count(_mapping(response.get("pagination")).get("total_count"))
        ended = not results or following >= MAX_RESULTS or (total > 0 and following >= total)
        return Page(tuple(found), None if ended else str(following), len(results) - len(found))

    def fetch(self, found: Found) -> bytes:
        """Download one GIF.

        Raises:
            Gone: it no longer exists, or could not be downloaded in all attempts.
            GifTooLarge: it exceeds `max_bytes`.
        """
        try:
            return self._retry(lambda: self._download(found.media))
        except _Transient as failure:
            raise Gone(f"{failure.why}, after {self._attempts} attempts", forever=False) from None

    def _call(self, parameters: Mapping[str, str | int]) -> dict[str, Any]:
        self._quota.take()
        address = self._home.join("/v1/gifs/search")
        try:
            with self._api.stream("GET", address, params=parameters) as response:
                headers, status = response.headers, response.status_code
                body = self._body(response, _MAX_RESPONSE)
        except httpx.RequestError as error:
            raise _Transient(_why(error)) from None
        except GifTooLarge:
            raise ProviderRefused("Giphy", f"its answer is over {_MAX_RESPONSE:,} bytes") from None
        self._quota.read_headers(headers)
        message = self._message(body)
        values = _mapping(_json(body)) if status == 200 else {}
        # The status in the body counts for more: "too many calls" also comes inside a 200.
        status = _count(_mapping(values.get("meta")).get("status")) or status
        if status == 429:
            self._quota.close(headers)
            raise _Transient("too many calls", quota=True)
        if status in _TRANSIENT:
            raise _Transient(f"HTTP {status}{message}", after_s=retry_after(headers, time.time()))
        if status in (401, 403):
            raise ProviderRefused("Giphy", f"HTTP {status}{message}; is the key in GIPHY_API_KEY right?")
        if status != 200:
            raise ProviderRefused("Giphy", f"HTTP {status}{message}")
        if not isinstance(values.get("data"), list):
            raise _Transient("its answer is not one of a search")
        if not values["data"] and not _is_last(values, int(parameters["offset"])):
            raise _Transient("its answer is empty", empty=True)
        return values

    def _download(self, media: str) -> bytes:
        try:
            with self._files.stream("GET", media) as response:
                status = response.status_code
                if status in _TRANSIENT:
                    raise _Transient(f"HTTP {status}", after_s=retry_after(response.headers, time.time()))
                if status != 200:
                    raise Gone(f"HTTP {status}", forever=status in _GONE)
                announced = _count(response.headers.get("content-length"))
                if announced > self._max_bytes:
                    raise GifTooLarge("length", allowed=self._max_bytes, found=announced, unit="bytes")
                return self._body(response, self._max_bytes)
        except httpx.RequestError as error:
            raise _Transient(_why(error)) from None

    def _body(self, response: httpx.Response, limit: int) -> bytes:
        """Read the whole body, within a limit of bytes and of time."""
        body = bytearray()
        end = time.monotonic() + 4 * self._timeout_s
        for part in response.iter_bytes():
            body += part
            if len(body) > limit:
                raise GifTooLarge("length", allowed=limit, found=len(body), unit="bytes", at_least=True)
            if time.monotonic() > end:
                raise _Transient(f"its answer takes more than {4 * self._timeout_s:g} s")
        return bytes(body)

    def _retry(self, attempt: Callable[[], T]) -> T:
        """Retry while a failure may pass; raises the last `_Transient`."""
        growing = wait_exponential_jitter(
            multiplier=self._backoff_s, max=_MAX_PAUSE_S, jitter=self._backoff_s
        )

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            requested = error.after_s if isinstance(error, _Transient) else None
            return min(max(growing(state), requested or 0.0), _MAX_PAUSE_S)

        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=pause,
            retry=retry_if_exception_type(_Transient),
            reraise=True,
        )
        return retrying(attempt)

    def _message(self, body: bytes) -> str:
        """Return the message of an error's body as ": message", without the key."""
        try:
            values = _mapping(_json(body))
        except _Transient:
            return ""
        message = _text(_mapping(values.get("meta")).get("msg")) or _text(values.get("message"))
        return f": {message.replace(self._key, '***')[:200]}" if message else ""


class Signed(httpx.BaseTransport):
    """A transport that adds the key to each request; the layers above it see addresses without the key.

    Raises:
        InvalidOptions: the environment names an invalid proxy.
    """

    def __init__(self, key: str, home: httpx.URL) -> None:
        self._key = key
        proxies = {} if urllib.request.proxy_bypass(home.host) else urllib.request.getproxies()
        try:
            self._inner = httpx.HTTPTransport(proxy=proxies.get(home.scheme) or proxies.get("all"))
        except (httpx.InvalidURL, ValueError):  # which quote the address, and so its password
            raise InvalidOptions(
                f"{home.scheme}_proxy or all_proxy", expected="the address of a proxy", found=UNREADABLE
            ) from None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request with the key."""
        signed = httpx.Request(
            request.method,
            request.url.copy_merge_params({"api_key": self._key}),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return self._inner.handle_request(signed)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class _Transient(Exception):
    """A request failed in a way that may pass.

    Attributes:
        why: for people.
        after_s: seconds to wait, as the server requests; None where it does not.
        quota: whether there were too many calls.
        empty: whether the response was valid, but empty without saying why.
    """

    def __init__(
        self, why: str, *, after_s: float | None = None, quota: bool = False, empty: bool = False
    ) -> None:
        super().__init__(why)
        self.why, self.after_s, self.quota, self.empty = why, after_s, quota, empty


def read_result(result: object, search: Search, *, home: httpx.URL, max_bytes: int) -> Found | None:
    """Read one result of a page; each value may be missing or of another type than documented.

    Args:
        result: as JSON has it.
        search: that found it.
        home: address of the API; files may be there, or at Giphy.
        max_bytes: of a GIF.

    Returns:
        None for a sticker, and for a result without a GIF that may be fetched.
    """
    item = _mapping(result)
    if item.get("type") == "sticker" or item.get("is_sticker") in (1, "1", True):
        return None
    media = _choose_rendition(_mapping(item.get("images")), home, max_bytes)
    if media is None:
        return None
    id_ = _text(item.get("id"))
    username = _text(item.get("username")) or _text(_mapping(item.get("user")).get("username"))
    address = _text(item.get("url")) or f"https://giphy.com/gifs/{id_}"
    try:
        return Found(id_, search.show, search.query, address, username, _text(item.get("title")), media=media)
    except ValueError:  # an id that could not be part of a file's name
        return None


def _choose_rendition(images: Mapping[str, object], home: httpx.URL, max_bytes: int) -> str | None:
    """Return the address of the first rendition that fits, without its parameters, which tell of the key."""
    for name in RENDITIONS:
        rendition = _mapping(images.get(name))
        try:
            url = httpx.URL(_text(rendition.get("url")))
        except httpx.InvalidURL:
            continue
        # Files are fetched from Giphy alone, whatever a page says.
        at_giphy = url.scheme == "https" and f".{url.host}".endswith(".giphy.com")
        at_home = (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)
        if _count(rendition.get("size")) <= max_bytes and (at_giphy or at_home):
            return str(url.copy_with(query=None, fragment=None))
    return None


def _is_last(response: Mapping[str, Any], offset: int) -> bool:
    """Whether an empty page says that there are no results from its offset on."""
    total = _mapping(response.get("pagination")).get("total_count")
    searched = bool(_text(_mapping(response.get("meta")).get("response_id")))  # missing during an outage
    beyond = offset + PAGE > MAX_RESULTS  # Giphy gives nothing there, whatever the total
    return beyond or (searched and total is not None and _count(total) <= offset)


def _http_address(address: str) -> httpx.URL:
    shown = plain_address(address)
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL()
    if shown is None or url.scheme not in ("http", "https"):
        raise InvalidOptions("api", expected="an http address", found=shown or UNREADABLE)
    return url


def _mapping(value: object) -> dict[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Return a text on one line that UTF-8 can write; "" for anything else."""
    if not isinstance(value, str):
        return ""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", " ".join(value.split()))


def _count(value: object) -> int:
    """Return a whole number, written as one or as text; 0 for anything else."""
    try:
        return int(value) if isinstance(value, (int, str)) else 0
    except ValueError:
        return 0


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        raise _Transient("its answer is no JSON") from None


def _why(error: httpx.RequestError) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
