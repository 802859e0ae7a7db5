"""Giphy as a provider: **a search** -> its search API -> **a page of GIFs**; **a GIF** -> its bytes.

The key goes into a request at the last moment, below everything that logs or raises: no address in a log, an
error or the journal has it. What passes by itself (a dropped line, a cut body, a busy server) is tried again
with growing pauses; what does not is an error at once.

Powered by GIPHY: https://developers.giphy.com/docs/api/endpoint#search
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
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
from training.collect.giphy.options import NAME, GiphyOptions
from training.collect.giphy.results import count, mapping, read_result, text
from training.collect.giphy.signed import Signed
from training.collect.providers import Found, Gone, Page, Search
from training.collect.quota import Quota, retry_after
from training.collect.shows import MAX_RESULTS, ShowOptions
from training.errors import ProviderRefused, ProviderUnavailable

TERMS = (
    "Powered by GIPHY. Giphy's terms hold for these GIFs, and they restrict collections: read them at "
    "https://giphy.com/terms. Name Giphy wherever these GIFs are listed, and never publish them."
)
PAGE = 50  # results that a call gives at most
_MAX_ANSWER = 10_000_000  # bytes of JSON; a page has a few hundred thousand
_MAX_PAUSE_S = 60.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_GONE = frozenset({404, 410, 451})

T = TypeVar("T")


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
            transport=Signed(key, self._home), timeout=self._options.timeout_s, follow_redirects=False
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

        An empty page ends a search only where it says so itself: Giphy also gives empty pages without a word
        while it is in trouble. Such a page is asked for again, and if it stays empty, it is not the end.

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
            if passing.empty:
                return Page((), cursor, attempts=self._options.attempts)
            raise ProviderUnavailable("Giphy", passing.why, attempts=self._options.attempts) from None
        results = answer["data"]
        found = [
            each
            for result in results
            if (each := read_result(result, search, home=self._home, max_bytes=self._options.max_bytes))
        ]
        following = offset + len(results)
        total = count(mapping(answer.get("pagination")).get("total_count"))
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
        answer = mapping(_json(body)) if status == 200 else {}
        # What the answer itself says counts for more: "too many calls" also comes inside a 200.
        status = count(mapping(answer.get("meta")).get("status")) or status
        if status == 429:
            self._quota.refuse(headers)
            raise _Passing("too many calls", quota=True)
        if status in _PASSING:
            raise _Passing(f"HTTP {status}{said}", after_s=retry_after(headers, time.time()))
        if status in (401, 403):
            raise ProviderRefused("Giphy", f"HTTP {status}{said}; is the key in GIPHY_API_KEY right?")
        if status != 200:
            raise ProviderRefused("Giphy", f"HTTP {status}{said}")
        if not isinstance(answer.get("data"), list):
            raise _Passing("its answer is not one of a search")
        if not answer["data"] and not _is_last(answer, int(parameters["offset"])):
            raise _Passing("its answer is empty", empty=True)
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
                announced = count(response.headers.get("content-length"))
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
            multiplier=self._options.backoff_s, max=_MAX_PAUSE_S, jitter=self._options.backoff_s
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

    def _message(self, body: bytes) -> str:
        """What an error's body says, as ": words", without the key, should it be repeated there."""
        try:
            answer = mapping(_json(body))
        except _Passing:
            return ""
        said = text(mapping(answer.get("meta")).get("msg")) or text(answer.get("message"))
        return f": {said.replace(self._key, '***')[:200]}" if said else ""


class _Passing(Exception):
    """A request failed in a way that may pass.

    Attributes:
        why: for people.
        after_s: seconds that the server asks to wait; None where it does not.
        quota: whether there were too many calls.
        empty: whether the answer was in order, but for being empty without saying why.
    """

    def __init__(
        self, why: str, *, after_s: float | None = None, quota: bool = False, empty: bool = False
    ) -> None:
        super().__init__(why)
        self.why, self.after_s, self.quota, self.empty = why, after_s, quota, empty


def _is_last(answer: Mapping[str, Any], offset: int) -> bool:
    """Whether an empty page says that there is nothing from its offset on."""
    total = mapping(answer.get("pagination")).get("total_count")
    answered = bool(text(mapping(answer.get("meta")).get("response_id")))  # absent where no search was made
    beyond = offset + PAGE > MAX_RESULTS  # there Giphy gives nothing, whatever the total
    return beyond or (answered and total is not None and count(total) <= offset)


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        raise _Passing("its answer is no JSON") from None


def _why(error: httpx.RequestError) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
