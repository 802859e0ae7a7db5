from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fetch.connection import refusal

NOT_PUBLIC = {
    "0.0.0.0": "this network",
    "0.1.2.3": "this network",
    "10.0.0.1": "private",
    "100.64.0.1": "carrier-grade NAT",
    "100.100.100.200": "carrier-grade NAT",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "the metadata of a cloud",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.192": "reserved",
    "192.0.2.1": "documentation",
    "192.88.99.1": "a 6to4 relay",
    "192.168.1.1": "private",
    "198.19.0.1": "benchmarking",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:93.184.216.34": "IPv4-mapped",
    "::127.0.0.1": "IPv4-compatible",
    "64:ff9b::10.0.0.1": "translated to IPv4, private",
    "64:ff9b::169.254.169.254": "translated to IPv4, link-local",
    "64:ff9b:1::1": "local translation to IPv4",
    "100::1": "discard",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "Teredo",
    "2001:2::1": "reserved",
    "2001:20::1": "reserved",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "6to4",
    "3fff::1": "documentation",
    "4000::1": "reserved",
    "5f00::1": "segment routing",
    "fc00::1": "unique-local",
    "fd00:ec2::254": "unique-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
}


@pytest.mark.parametrize(("text", "kind"), NOT_PUBLIC.items(), ids=NOT_PUBLIC)
def test_kinds_of_private_addresses(text: str, kind: str) -> None:
    assert refusal(ipaddress.ip_address(text)) == kind


@pytest.mark.parametrize(
    "text",
    [
        *["1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.32.0.1", "223.255.255.255"],
        *["2606:4700::1111", "2a00:1450:4001:80b::200e", "2001:200::1", "64:ff9b::93.184.216.34"],
    ],
)
def test_public_addresses(text: str) -> None:
    assert refusal(ipaddress.ip_address(text)) is None


@given(st.ip_addresses())
def test_python_agrees(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    translated = address in ipaddress.ip_network("64:ff9b::/96")

    assert address.is_global or translated or refusal(address) is not None


@given(st.ip_addresses(v=4))
def test_ipv4_inside_ipv6(address: ipaddress.IPv4Address) -> None:
    translated = ipaddress.IPv6Address(f"64:ff9b::{address}")
    relayed = ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80))

    assert (refusal(translated) is None) == (refusal(address) is None)
    assert refusal(ipaddress.IPv6Address(f"::ffff:{address}")) is not None
    assert refusal(relayed) is not None
