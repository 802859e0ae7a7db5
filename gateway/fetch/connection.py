"""Opens connections of the HTTP client to the public internet only.

A host is resolved once, all its IP addresses are checked, and the connection goes to one of them: there is no
second DNS look-up after the check. The client still uses the host's name in the Host header, in TLS (SNI) and
to verify the certificate.

An IP address that is not public is one that this machine could reach and the caller could not: this machine,
its network, the metadata service of a cloud. The ranges are those of IANA's registries of special-purpose
addresses. They are written out here because `ipaddress.is_global` differs between versions of Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore

from services.errors import AddressRefused, FetchFailed, NotFetchable

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_IPV4 = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "the metadata of a cloud",  # Azure answers its own machines at this public address
    "169.254.0.0/16": "link-local",  # 169.254.169.254 is the metadata of most clouds
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "a 6to4 relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",  # 255.255.255.255, broadcast, is its last
}
_IPV6 = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::ffff:0:0/96": "IPv4-mapped",
    "::/96": "IPv4-compatible",
    "64:ff9b:1::/48": "local translation to IPv4",
    "100::/64": "discard",
    "2001::/32": "Teredo",
    "2001::/23": "reserved",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique-local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
_RANGES_V4 = [(ipaddress.IPv4Network(network), kind) for network, kind in _IPV4.items()]
_RANGES_V6 = [(ipaddress.IPv6Network(network), kind) for network, kind in _IPV6.items()]
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that IANA has given out of IPv6
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # how a network of IPv6 alone reaches IPv4: its last 32 bits

# Codes of `getaddrinfo` for a name without addresses. Others, such as EAI_AGAIN, may pass.
_NO_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
MOST_TRIED = 4  # addresses of one name; each gets an equal share of the time

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> Sequence[str]:
    """Resolve a name to IP addresses, best first; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore.

    Args:
        resolver: name, port -> IP addresses; called once for each connection.
        connector: connects to an IP address.
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
        """Connect to the first address of a host that answers, if all of its addresses are public.

        Raises:
            AddressRefused: one of them is not of the public internet.
            NotFetchable: the name has no address.
            FetchFailed: the name cannot be resolved now.
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
        """Resolve a host to at least one address; refuse the host if any of them is not public."""
        try:
            texts = [str(ipaddress.ip_address(host))]
        except ValueError:
            try:
                texts = list(await self._resolver(host, port))
            except UnicodeError as error:  # the name cannot be put into IDNA
                raise NotFetchable(host, "its name has no address") from error
            except OSError as error:
                if error.errno in _NO_NAME:
                    raise NotFetchable(host, "its name has no address") from error
                raise FetchFailed(host, "its name cannot be resolved now") from error
        if not texts:
            raise NotFetchable(host, "its name has no address")
        addresses = [ipaddress.ip_address(text) for text in dict.fromkeys(texts)]
        for address in addresses:
            kind = refusal(address)
            if kind is not None:
                # The error does not tell the address, which may be of a private network.
                raise AddressRefused(host, f"it is not on the public internet ({kind})")
        return addresses

    async def sleep(self, seconds: float) -> None:
        """Wait between tries."""
        await self._connector.sleep(seconds)


def refusal(address: IpAddress) -> str | None:
    """Return the kind of an IP address that is not on the public internet; None for one that is."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((kind for network, kind in _RANGES_V4 if address in network), None)
    if address in _NAT64:
        inner = refusal(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        return None if inner is None else f"translated to IPv4, {inner}"
    for network, kind in _RANGES_V6:
        if address in network:
            return kind
    return None if address in _GLOBAL_UNICAST else "reserved"
