"""Connections to the public internet only: **host** -> resolve once -> check all -> **connection to one**.

It stands where the HTTP client opens its connections, so whatever the client was asked for passes here, and
there is no second look-up between the check and the connection. The client goes on to use the name: in the
Host header, in TLS (SNI) and against the certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore

from gateway.fetch.internet import IpAddress, refusal
from services.errors import AddressRefused, FetchFailed

MOST_TRIED = 4  # addresses of one name; each has an equal share of the time

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask this machine's resolver for the IP addresses of a name, best first; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for the client.

    Args:
        resolver: name, port -> IP addresses; asked once for each connection.
        connector: that connects to an IP address.
    """

    def __init__(self, resolver: Resolver, connector: httpcore.AsyncNetworkBackend) -> None:
        self._resolver = resolver
        self._connector = connector

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host that answers, once all of them are found to be public.

        Raises:
            AddressRefused: one of them is not of the public internet.
            FetchFailed: the name has no address.
            httpcore.ConnectTimeout: none answered within `timeout` seconds.
            httpcore.ConnectError: none can be reached.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = (await self._checked(host, port))[:MOST_TRIED]
                share = None if timeout is None else timeout / len(addresses)
                for address in addresses[:-1]:
                    with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                        return await self._connector.connect_tcp(
                            str(address), port, share, local_address, socket_options
                        )
                return await self._connector.connect_tcp(
                    str(addresses[-1]), port, share, local_address, socket_options
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error

    async def _checked(self, host: str, port: int) -> list[IpAddress]:
        """Resolve a host, at least to one address, and refuse it whole when one of them is not public."""
        try:
            texts = [str(ipaddress.ip_address(host))]
        except ValueError:
            try:
                texts = list(await self._resolver(host, port))
            except (OSError, UnicodeError) as error:  # the second where a name cannot be put into IDNA
                raise FetchFailed(host, "its name has no address") from error
        if not texts:
            raise FetchFailed(host, "its name has no address")
        addresses = [ipaddress.ip_address(text) for text in dict.fromkeys(texts)]
        for address in addresses:
            kind = refusal(address)
            if kind is not None:
                # The address itself is not told: whoever asks shall not learn the names of a network from us.
                raise AddressRefused(host, f"it is not on the public internet ({kind})")
        return addresses

    async def sleep(self, seconds: float) -> None:
        """Wait, as the client does between tries."""
        await self._connector.sleep(seconds)
