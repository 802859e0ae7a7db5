"""Parses addresses of files on the internet strictly, and says which hosts may be requested.

Programs disagree about unusual addresses, and such a disagreement is how a check is evaded. So only the plain
form is accepted, and nothing is repaired: http or https, a host in ASCII, no user name, no backslash, no
blank or control character, IP addresses only in their usual form. Only the scheme may be left out:
giphy.com/gifs/cat is https://giphy.com/gifs/cat. Nothing here needs the network or the HTTP client.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from services.errors import InvalidAddress

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_LENGTH = 2_000  # characters: what every browser and server accepts
_PARTS = re.compile(  # RFC 3986, appendix B, with the parts that a file has
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?"
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_WITHOUT_SCHEME = re.compile(r"[A-Za-z0-9_.-]+\.[A-Za-z]{2,63}(?::[0-9]{1,5})?/.*", re.DOTALL)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# A last label that makes many programs take a host for an IP address.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_RULE = re.compile(r"(?P<below>\*\.)?(?P<name>\*|\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]")


@dataclass(frozen=True)
class Address:
    """The address of a file.

    Attributes:
        scheme: "http" or "https".
        host: a name in lower case, or an IP address without brackets.
        port: 1..65535.
        path: begins with /, percent-encoded.
        query: percent-encoded, without its question mark; "" is none. It may hold a key: never logged.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse an address without its fragment; raises InvalidAddress if it is not written plainly."""
        _check_characters(text)
        parts = _PARTS.fullmatch(f"https://{text}" if _WITHOUT_SCHEME.fullmatch(text) else text)
        if parts is None:
            raise InvalidAddress("it must begin with http:// or https://")
        scheme = parts["scheme"].lower()
        if scheme not in DEFAULT_PORTS:
            raise InvalidAddress(f"it must begin with http:// or https://, not {scheme[:20]}://")
        host, port = _read_authority(parts["authority"])
        return cls(
            scheme,
            host,
            DEFAULT_PORTS[scheme] if port is None else port,
            quote(parts["path"] or "/", safe="/%:@!$&'()*+,;=~"),
            quote(parts["query"] or "", safe="/%:@!$&'()*+,;=~?"),
        )

    def join(self, reference: str) -> Address:
        """Parse an address that may be relative to this one, such as that of a redirect; see `parse`."""
        _check_characters(reference)  # first: urljoin drops some characters silently
        try:
            joined = urljoin(self.whole, reference)
        except ValueError as error:  # urljoin refuses some hosts itself, such as half of an IPv6 address
            raise InvalidAddress("its host is not the name of one") from error
        return Address.parse(joined)

    @property
    def authority(self) -> str:
        """Host, in brackets if it is IPv6, and port unless it is that of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query, as they are requested."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def whole(self) -> str:
        """The whole address with its query: not for a log."""
        return f"{self.scheme}://{self.authority}{self.target}"

    def __str__(self) -> str:
        """The address without its query, as it may be logged."""
        return f"{self.scheme}://{self.authority}{self.path}"


def is_address(text: str) -> bool:
    """Whether a text is meant as an address, of any scheme, and not as the name of a file."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def _check_characters(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise InvalidAddress(f"it is longer than {MAX_LENGTH:,} characters")
    found = _UNPRINTABLE.search(text)
    if found is not None:
        what = "a backslash" if found[0] == "\\" else "a blank or a control character"
        raise InvalidAddress(f"it holds {what}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidAddress("it holds half a character")


def _read_authority(authority: str) -> tuple[str, int | None]:
    """Read the host in lower case, and the port if one is given."""
    if "@" in authority:
        raise InvalidAddress("it holds a user name or a password")
    if not authority:
        raise InvalidAddress("it names no host")
    if not authority.isascii():
        raise InvalidAddress("its host must be written in ASCII, as xn--...")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise InvalidAddress("its host is not the name of one")
    host = found["host"].lower()
    _check_host(host)
    port = None if found["port"] is None else int(found["port"])
    if port is not None and not 1 <= port <= 65535:
        raise InvalidAddress("its port is out of range")
    return host.strip("[]"), port


def _check_host(host: str) -> None:
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host.strip("[]"))
        except ValueError as error:
            raise InvalidAddress("its host is not an IPv6 address") from error
        return
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            ipaddress.IPv4Address(host)  # four decimal numbers without leading zeros, and nothing else
        except ValueError as error:
            raise InvalidAddress("an IP address is written as four decimal numbers") from error
    elif len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidAddress("its host is not the name of one")


@dataclass(frozen=True)
class HostRule:
    """Hosts that may be requested.

    Attributes:
        name: in lower case; "*" is every host.
        below: whether the subdomains of the name are meant, and not the name itself.
        port: None is that of http or https.
    """

    name: str
    below: bool = False
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> HostRule:
        """Parse `giphy.com`, `*.giphy.com`, `*`, or one of them with `:port`; else raises ValueError."""
        found = _RULE.fullmatch(text.lower())
        if found is None or (found["below"] and found["name"] == "*"):
            raise ValueError(text)
        port = None if found["port"] is None else int(found["port"])
        if port is not None and not 1 <= port <= 65535:
            raise ValueError(text)
        return cls(found["name"].strip("[]"), found["below"] is not None, port)

    def names(self, host: str) -> bool:
        """Whether the rule covers a host, at any port."""
        return self.name == "*" or (host.endswith(f".{self.name}") if self.below else host == self.name)

    def allows(self, address: Address) -> bool:
        """Whether the rule covers the host and the port of an address."""
        port = DEFAULT_PORTS[address.scheme] if self.port is None else self.port
        return self.names(address.host) and address.port == port


# Giphy and Tenor: their pages, their media hosts, and Giphy's short addresses, which redirect to its pages.
DEFAULT_HOSTS = tuple(
    HostRule.parse(text) for text in ("giphy.com", "*.giphy.com", "gph.is", "tenor.com", "*.tenor.com")
)
ANY_HOST = (HostRule("*"),)


@dataclass(frozen=True)
class FetchSettings:
    """What may be fetched, and its limits.

    Attributes:
        hosts: that may be requested; IP addresses outside the public internet never are.
        allowed_by: the setting that allows more hosts, for the error message.
        max_bytes: of a file.
        timeout_s: seconds for the whole fetch, with DNS and redirects.
        connect_s: seconds for one connection, with DNS and TLS.
        max_redirects: how many redirects are followed.
        page_max_bytes: how much of a page is read to find its media file.
    """

    hosts: tuple[HostRule, ...] = DEFAULT_HOSTS
    allowed_by: str = "GIF_ANALYZER_FETCH_HOSTS"
    max_bytes: int = 25_000_000
    timeout_s: float = 20.0
    connect_s: float = 5.0
    max_redirects: int = 3
    page_max_bytes: int = 1_000_000
