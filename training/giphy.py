"""Giphy as a provider: **a search** -> its search API -> **a page of GIFs**; **a GIF** -> its bytes.

The key goes into a request at the last moment, below everything that logs or raises: no address in a log, an
error or the journal has it. What passes by itself (a dropped line, a cut body, a busy server) is tried again
with growing pauses; what does not is an error at once.

Powered by GIPHY: https://developers.giphy.com/docs/api/endpoint#search
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from services.errors import GifTooLarge
from training.errors import InvalidOptions, ProviderRefused, ProviderUnavailable
from training.providers import Found, Gone, Page, Search
from training.quota import Quota, retry_after
from training.shows import MAX_RESULTS, ShowOptions

NAME = "giphy"
TERMS = (
    "Powered by GIPHY. Giphy's terms hold for these GIFs, and they restrict collections: read them at "
    "https://giphy.com/terms. Name Giphy wherever these GIFs are listed, and never publish them."
)
PAGE = 50  # results that a call gives at most
RENDITIONS = ("fixed_height", "downsized", "downsized_medium", "original")  # the first that fits is taken
_MAX_ANSWER = 10_000_000  # bytes of JSON; a page has a few hundred thousand
_MAX_PAUSE_S = 60.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_GONE = frozenset({404, 410, 451})

T = TypeVar("T")


@dataclass(frozen=True)
class GiphyOptions:
    """How Giphy is asked.

    Attributes:
        api: address of the API, up to its version.
        calls_per_hour: that the key allows; 100 for a beta key.
        attempts: of one request, at least 1.
        timeout_s: for a connection, and between two parts of an answer, in seconds; a whole answer may take
            four times as long.
        backoff_s: first pause before another attempt, in seconds; it doubles with each, up to a minute.
        max_bytes: of one GIF; smaller renditions are preferred anyway.
    """

    api: str = "https://api.giphy.com"
    calls_per_hour: int = 100
    attempts: int = 5
    timeout_s: float = 15.0
    backoff_s: float = 1.0
    max_bytes: int = 8_000_000

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.api)
        except httpx.InvalidURL:
            url = httpx.URL("")
        for ok, option, expected, found in (
            (url.scheme in ("http", "https") and bool(url.host), "api", "an http address", self.api),
            (self.calls_per_hour >= 1, "calls_per_hour", "at least 1", self.calls_per_hour),
            (self.attempts >= 1, "attempts", "at least 1", self.attempts),
            (self.timeout_s > 0, "timeout_s", "above 0", self.timeout_s),
            (self.backoff_s >= 0, "backoff_s", "at least 0", self.backoff_s),
            (self.max_bytes >= 1, "max_bytes", "at least 1", self.max_bytes),
        ):
            if not ok:
                raise InvalidOptions(option, expected=expected, found=str(found))


class Giphy:
    """Giphy's search, and its files.

    Args:
        key: of the API.
        shows: to search for.
        quota: of calls to the API; files do not count.
        options: how it is asked.
    """

    name = NAME
    terms = TERMS
    folder = None

    def __init__(
        self, key: str, shows: Sequence[ShowOptions], quota: Quota, options: GiphyOptions | None = None
    ) -> None:
        self._key, self._shows, self._quota = key, shows, quota
        self._options = options or GiphyOptions()
        self._home = httpx.URL(self._options.api)
        self._api = httpx.Client(
            transport=_Signed(key, self._home), timeout=self._options.timeout_s, follow_redirects=False
        )
        # Without these words some of its hosts answer with a page about the GIF.
        self._files = httpx.Client(timeout=self._options.timeout_s, headers={"accept": "image/gif,*/*;q=0.1"})

    def searches(self) -> tuple[Search, ...]:
        """One for each query of each show."""
        return tuple(
            Search(show.title, query, show.rating, show.language, show.results)
            for show in self._shows
            for query in show.queries
        )

    def search(self, search: Search, cursor: str) -> Page:
        """One call of the API; the cursor is the offset.

        Raises:
            QuotaExhausted: no call is left, and nobody waits.
            ProviderRefused: the key is wrong, or the request is.
            ProviderUnavailable: it did not answer rightly in all attempts.
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
            answer = self._patiently(lambda: self._ask(parameters))
        except _Passing as passing:
            if passing.quota:
                raise self._quota.exhausted() from None
            raise ProviderUnavailable("Giphy", passing.why, attempts=self._options.attempts) from None
        results = answer["data"]
        found = [each for result in results if (each := self._read(result, search)) is not None]
        following = offset + len(results)
        total = _count(_mapping(answer.get("pagination")).get("total_count"))
        ended = not results or following >= MAX_RESULTS or (total > 0 and following >= total)
        return Page(tuple(found), None if ended else str(following), len(results) - len(found))

    def fetch(self, found: Found) -> bytes:
        """Download one GIF.

        Raises:
            Gone: it is not there any more, or was not to be had in all attempts.
            GifTooLarge: it is over the limit of bytes.
        """
        try:
            return self._patiently(lambda: self._download(found.media))
        except _Passing as passing:
            raise Gone(f"{passing.why}, after {self._options.attempts} attempts", forever=False) from None

    def _ask(self, parameters: Mapping[str, str | int]) -> dict[str, Any]:
        self._quota.take()
        address = self._home.join("/v1/gifs/search")
        try:
            with self._api.stream("GET", address, params=parameters) as response:
                headers, status = response.headers, response.status_code
                body = self._body(response, _MAX_ANSWER)
        except httpx.RequestError as error:
            raise _Passing(_why(error)) from None
        except GifTooLarge:
            raise ProviderRefused("Giphy", f"its answer is over {_MAX_ANSWER:,} bytes") from None
        self._quota.heed(headers)
        said = self._message(body)
        if status == 429:
            self._quota.refuse(headers)
            raise _Passing("too many calls", quota=True)
        if status in _PASSING:
            raise _Passing(f"HTTP {status}{said}", after_s=retry_after(headers, time.time()))
        if status in (401, 403):
            raise ProviderRefused("Giphy", f"HTTP {status}{said}; is the key in GIPHY_API_KEY right?")
        if status != 200:
            raise ProviderRefused("Giphy", f"HTTP {status}{said}")
        answer = _mapping(_json(body))
        if not isinstance(answer.get("data"), list):
            raise _Passing("its answer is not one of a search")
        return answer

    def _download(self, media: str) -> bytes:
        limit = self._options.max_bytes
        try:
            with self._files.stream("GET", media) as response:
                status = response.status_code
                if status in _PASSING:
                    raise _Passing(f"HTTP {status}", after_s=retry_after(response.headers, time.time()))
                if status != 200:
                    raise Gone(f"HTTP {status}", forever=status in _GONE)
                announced = _count(response.headers.get("content-length"))
                if announced > limit:
                    raise GifTooLarge("length", allowed=limit, found=announced, unit="bytes")
                return self._body(response, limit)
        except httpx.RequestError as error:
            raise _Passing(_why(error)) from None

    def _body(self, response: httpx.Response, limit: int) -> bytes:
        """The body, whole, within a limit of bytes and of time."""
        body = bytearray()
        end = time.monotonic() + 4 * self._options.timeout_s
        for part in response.iter_bytes():
            body += part
            if len(body) > limit:
                raise GifTooLarge("length", allowed=limit, found=len(body), unit="bytes", at_least=True)
            if time.monotonic() > end:
                raise _Passing(f"its answer takes more than {4 * self._options.timeout_s:g} s")
        return bytes(body)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        """Try again for as long as the trouble may pass; the last `_Passing` is raised."""
        growing = wait_exponential_jitter(
            initial=self._options.backoff_s, max=_MAX_PAUSE_S, jitter=self._options.backoff_s
        )

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.after_s if isinstance(error, _Passing) else None
            return min(max(growing(state), asked or 0.0), _MAX_PAUSE_S)

        retrying = Retrying(
            stop=stop_after_attempt(self._options.attempts),
            wait=pause,
            retry=retry_if_exception_type(_Passing),
            reraise=True,
        )
        return retrying(attempt)

    def _read(self, result: object, search: Search) -> Found | None:
        """What a result says; None for a sticker, and for one without a GIF that may be fetched."""
        item = _mapping(result)
        if item.get("type") == "sticker" or item.get("is_sticker") in (1, "1", True):
            return None
        media = self._choose(_mapping(item.get("images")))
        if media is None:
            return None
        id_ = _text(item.get("id"))
        username = _text(item.get("username")) or _text(_mapping(item.get("user")).get("username"))
        address = _text(item.get("url")) or f"https://giphy.com/gifs/{id_}"
        try:
            return Found(
                id_, search.show, search.query, address, username, _text(item.get("title")), media=media
            )
        except ValueError:  # an id that could not be part of a file's name
            return None

    def _choose(self, images: Mapping[str, object]) -> str | None:
        """Address of the first rendition that fits; its parameters, which tell of the key, are dropped."""
        for name in RENDITIONS:
            rendition = _mapping(images.get(name))
            size = _count(rendition.get("size"))
            try:
                url = httpx.URL(_text(rendition.get("url")))
            except httpx.InvalidURL:
                continue
            if size <= self._options.max_bytes and self._is_at_home(url):
                return str(url.copy_with(query=None, fragment=None))
        return None

    def _is_at_home(self, url: httpx.URL) -> bool:
        """Whether an address is Giphy's: what a page says is fetched from nowhere else."""
        own = url.scheme == "https" and f".{url.host}".endswith(".giphy.com")
        return own or (url.scheme, url.host, url.port) == (
            self._home.scheme,
            self._home.host,
            self._home.port,
        )

    def _message(self, body: bytes) -> str:
        """What an error's body says, as ": words", without the key, should it be repeated there."""
        try:
            answer = _mapping(_json(body))
        except _Passing:
            return ""
        said = _text(_mapping(answer.get("meta")).get("msg")) or _text(answer.get("message"))
        return f": {said.replace(self._key, '***')[:200]}" if said else ""


class _Passing(Exception):
    """A request failed in a way that may pass.

    Attributes:
        why: for people.
        after_s: seconds that the server asks to wait; None where it does not.
        quota: whether there were too many calls.
    """

    def __init__(self, why: str, *, after_s: float | None = None, quota: bool = False) -> None:
        super().__init__(why)
        self.why, self.after_s, self.quota = why, after_s, quota


class _Signed(httpx.BaseTransport):
    """A transport that adds the key to what leaves; those above it see addresses without."""

    def __init__(self, key: str, home: httpx.URL) -> None:
        self._key = key
        proxies = {} if urllib.request.proxy_bypass(home.host) else urllib.request.getproxies()
        self._inner = httpx.HTTPTransport(proxy=proxies.get(home.scheme) or proxies.get("all"))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        signed = httpx.Request(
            request.method,
            request.url.copy_merge_params({"api_key": self._key}),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return self._inner.handle_request(signed)

    def close(self) -> None:
        self._inner.close()


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        raise _Passing("its answer is no JSON") from None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """A text on one line; empty for anything else."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def _count(value: object) -> int:
    """A whole number, written as one or as text; 0 for anything else."""
    try:
        return int(value) if isinstance(value, (int, str)) else 0
    except ValueError:
        return 0


def _why(error: httpx.RequestError) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
