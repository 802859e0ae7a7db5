"""Requests with a key that nobody else sees: **a request** -> Signed -> the same with the key, sent."""

from __future__ import annotations

import urllib.request

import httpx

from services.names import UNREADABLE
from training.errors import InvalidOptions


class Signed(httpx.BaseTransport):
    """A transport that adds the key to what leaves; those above it see addresses without."""

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
        """Send it, signed."""
        signed = httpx.Request(
            request.method,
            request.url.copy_merge_params({"api_key": self._key}),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return self._inner.handle_request(signed)

    def close(self) -> None:
        """Close its connections."""
        self._inner.close()
