"""Which IP addresses are of the public internet: **IP address** -> the reason why not, or None.

What is not public is what a fetch from inside could reach and its asker could not: this machine, its network,
the metadata service of a cloud. The ranges are those of IANA's registries of special-purpose addresses.
`ipaddress.is_global` changed its mind between versions of Python, so they are written out here.
"""

from __future__ import annotations

import ipaddress

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


def refusal(address: IpAddress) -> str | None:
    """Say what kind of address it is when it is not of the public internet; None when it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((kind for network, kind in _RANGES_V4 if address in network), None)
    if address in _NAT64:
        inner = refusal(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        return None if inner is None else f"translated to IPv4, {inner}"
    for network, kind in _RANGES_V6:
        if address in network:
            return kind
    return None if address in _GLOBAL_UNICAST else "reserved"
