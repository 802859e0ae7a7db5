"""What may be set of fetching, known without the HTTP client: **text** -> `HostRule`; `FetchSettings`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.fetch.address import DEFAULT_PORTS, Address

_RULE = re.compile(r"(?P<below>\*\.)?(?P<name>\*|\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True)
class HostRule:
    """Hosts that may be asked.

    Attributes:
        name: in lower case; "*" is every host.
        below: whether every name that ends in .name is meant, and not the name itself.
        port: None is that of http or https.
    """

    name: str
    below: bool = False
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> HostRule:
        """Read `giphy.com`, `*.giphy.com`, `*`, or one of them with `:port`.

        Raises:
            ValueError: it is none of them.
        """
        found = _RULE.fullmatch(text.lower())
        if found is None or (found["below"] and found["name"] == "*"):
            raise ValueError(text)
        port = None if found["port"] is None else int(found["port"])
        if port is not None and not 1 <= port <= 65535:
            raise ValueError(text)
        return cls(found["name"].strip("[]"), found["below"] is not None, port)

    def names(self, host: str) -> bool:
        """Whether a host is meant, at whatever port."""
        return self.name == "*" or (host.endswith(f".{self.name}") if self.below else host == self.name)

    def allows(self, address: Address) -> bool:
        """Whether an address is at a host and a port that are meant."""
        port = DEFAULT_PORTS[address.scheme] if self.port is None else self.port
        return self.names(address.host) and address.port == port


# Giphy and Tenor: their pages, their media hosts, and Giphy's short addresses, which redirect to its pages.
DEFAULT_HOSTS = tuple(
    HostRule.parse(text) for text in ("giphy.com", "*.giphy.com", "gph.is", "tenor.com", "*.tenor.com")
)
ANY_HOST = (HostRule("*"),)


@dataclass(frozen=True)
class FetchSettings:
    """What may be fetched, and at what cost.

    Attributes:
        hosts: that may be asked; whatever they are, only addresses of the public internet are.
        allowed_by: what allows more hosts, for those who are refused one.
        max_bytes: of a file.
        timeout_s: seconds for all of it: names, connections, redirects, the last byte.
        connect_s: seconds for one connection, its name and its TLS.
        max_redirects: that are followed.
        page_max_bytes: that are read of a page in search of its media file.
    """

    hosts: tuple[HostRule, ...] = DEFAULT_HOSTS
    allowed_by: str = "GIF_ANALYZER_FETCH_HOSTS"
    max_bytes: int = 25_000_000
    timeout_s: float = 20.0
    connect_s: float = 5.0
    max_redirects: int = 3
    page_max_bytes: int = 1_000_000
