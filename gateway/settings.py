"""The door of the environment: variables -> frozen `Settings`. Nothing else reads the environment.

| variable | setting | default |
|---|---|---|
| `GIF_ANALYZER_MODEL` | model file | the packaged one |
| `GIF_ANALYZER_THREADS` | threads that decoding or classifying one GIF may use | 1 |
| `GIF_ANALYZER_EARLY_EXIT` | `on` to stop when the first frames decide | off |
| `GIF_ANALYZER_MAX_BYTES` | size of a GIF, in bytes | 25,000,000 |
| `GIF_ANALYZER_MAX_CANVAS_PIXELS` | width x height of a GIF, in pixels | 16,000,000 |
| `GIF_ANALYZER_MAX_FRAMES` | frames of a GIF | 5,000 |
| `GIF_ANALYZER_MAX_DECODED_PIXELS` | pixels to decode for one clip | 1,000,000,000 |

Of the services that are started here:

| variable | setting | default |
|---|---|---|
| `GIF_ANALYZER_WORKERS` | calls computed at the same time | one for each processor |
| `GIF_ANALYZER_WAITING` | calls that may wait; more are refused | 64 |
| `GIF_ANALYZER_GRACE_S` | seconds for calls in flight after SIGTERM | 30 |
| `GIF_ANALYZER_NOTICE_S` | seconds between saying NOT_SERVING and refusing calls | 0 |
| `GIF_ANALYZER_METRICS_PORT` | port of the Prometheus page | no page |
| `GIF_ANALYZER_SERVER_CERTIFICATE`, `GIF_ANALYZER_SERVER_KEY` | PEM files: TLS | plain text |
| `GIF_ANALYZER_CLIENT_CA` | PEM file: who signs clients; each must show a certificate | any client |

Of the REST gateway, beside `GIF_ANALYZER_WORKERS`, `GIF_ANALYZER_GRACE_S` and `GIF_ANALYZER_NOTICE_S`:

| variable | setting | default |
|---|---|---|
| `GIF_ANALYZER_MAX_BODY_BYTES` | length of a request's body | that of a GIF and 1 MB |
| `GIF_ANALYZER_BODY_S` | seconds that a whole body may take | 300 |
| `GIF_ANALYZER_BODY_BYTES_PER_S` | bytes a second that must arrive of a body; 0 for no such limit | 1,000 |
| `GIF_ANALYZER_IN_FLIGHT` | GIFs computed or waiting for it; more are told to come again | 64 |
| `GIF_ANALYZER_FETCHES` | addresses fetched at the same time; more are told to come again | 64 |
| `GIF_ANALYZER_CONNECTIONS` | open connections; one more closes the longest idle one | 512 |
| `GIF_ANALYZER_KEEP_ALIVE_S` | seconds until an idle connection is closed | 75 |
| `GIF_ANALYZER_CACHE_BYTES` | memory for answers that are kept; 0 keeps none | 32,000,000 |
| `GIF_ANALYZER_API_KEYS` | keys, apart by commas or blanks; one must be sent | none is asked |
| `GIF_ANALYZER_CORS_ORIGINS` | whose pages may ask, apart by commas or blanks, or `*` | no other's |
| `GIF_ANALYZER_METRICS` | `off` for no /metrics | on |

Of the services that are asked:

| variable | setting | default |
|---|---|---|
| `GIF_ANALYZER_TIMEOUT_S` | seconds for one call with all its tries | 30 |
| `GIF_ANALYZER_ATTEMPTS` | tries of a call while a service is unavailable, 1 to 5 | 4 |
| `GIF_ANALYZER_KEEPALIVE_S` | seconds without traffic until the connection is probed, at least 10 | 30 |
| `GIF_ANALYZER_TLS` | `on` for TLS with the certificates that gRPC carries | plain text |
| `GIF_ANALYZER_SERVER_CA` | PEM file: who signs servers; turns TLS on | |
| `GIF_ANALYZER_CLIENT_CERTIFICATE`, `GIF_ANALYZER_CLIENT_KEY` | PEM files to show; turn TLS on | none |

Of GIFs that are named by their address:

| variable | setting | default |
|---|---|---|
| `GIF_ANALYZER_FETCH_HOSTS` | hosts that may be asked, apart by commas or blanks: \
`giphy.com`, `*.giphy.com`, `*` for all, each with `:port` if need be | those of Giphy and Tenor |
| `GIF_ANALYZER_FETCH_TIMEOUT_S` | seconds for one file with all its redirects | 20 |
| `GIF_ANALYZER_FETCH_CONNECT_S` | seconds for one connection | 5 |
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from gateway.fetch.settings import FetchSettings, HostRule
from gateway.rest.settings import ENVELOPE_BYTES, RestSettings
from services.address import UNREADABLE, plain_address
from services.errors import InvalidSetting, UnknownSetting
from services.inference import default_model_path
from services.preprocess import Budget
from services.rpc.settings import ChannelSettings, ClientTls, ServerSettings, ServerTls

PREFIX = "GIF_ANALYZER_"
MAX_SECONDS = 86_400.0  # a day: what is longer is a mistake


@dataclass(frozen=True)
class Settings:
    """What may be set from outside.

    Attributes:
        model: path of the model file.
        threads: that decoding or classifying one GIF may use, at least 1.
        budget: what a GIF may cost.
        server: of the services that are started here; their address is an option of the command.
        channel: how services elsewhere are asked.
        fetch: what may be fetched by its address; the size of a file is that of the budget.
        rest: of the REST gateway that is started here.
        early_exit: whether a classification may stop when the first frames decide.
    """

    model: Path = field(default_factory=default_model_path)
    threads: int = 1
    budget: Budget = field(default_factory=Budget)
    server: ServerSettings = field(default_factory=ServerSettings)
    channel: ChannelSettings = field(default_factory=ChannelSettings)
    fetch: FetchSettings = field(default_factory=FetchSettings)
    rest: RestSettings = field(default_factory=RestSettings)
    early_exit: bool = False

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables above; one that is not set, or set to nothing, leaves its default.

        Raises:
            InvalidSetting: names the variable and what it must be.
            UnknownSetting: a variable begins like those above and is none of them.
        """
        environ = asked = _Asked(environ)
        defaults = cls()
        limits = {
            limit.name: _read_count(
                environ, PREFIX + limit.name.upper(), getattr(defaults.budget, limit.name)
            )
            for limit in fields(Budget)
        }
        settings = cls(
            model=Path(environ.get(PREFIX + "MODEL") or defaults.model),
            threads=_read_count(environ, PREFIX + "THREADS", defaults.threads),
            budget=Budget(**limits),
            server=_read_server(environ, defaults.server),
            channel=_read_channel(environ, defaults.channel),
            fetch=_read_fetch(environ, defaults.fetch, max_bytes=limits["max_bytes"]),
            rest=_read_rest(environ, defaults.rest, max_bytes=limits["max_bytes"]),
            early_exit=_read_switch(environ, PREFIX + "EARLY_EXIT", "off"),
        )
        asked.check_names()
        return settings


class _Asked(Mapping[str, str]):
    """An environment that remembers which variables it was asked for: these are the settings there are."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self._names.add(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    def check_names(self) -> None:
        """Refuse a variable that nothing asked for: it is misspelt, and would silently do nothing.

        Raises:
            UnknownSetting: names the nearest right one.
        """
        for name in names_of_settings(self._environ):
            if name not in self._names:
                near = difflib.get_close_matches(name, sorted(self._names), n=1)
                raise UnknownSetting(name, nearest=near[0] if near else None)


# Kubernetes tells every container of a service named gif-analyzer its addresses in such variables.
_OF_KUBERNETES = re.compile(PREFIX + r"(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_.*)")


def names_of_settings(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that are meant as settings of this project, by name."""
    return sorted(name for name in environ if name.startswith(PREFIX) and not _OF_KUBERNETES.fullmatch(name))


def silence_libraries() -> None:
    """Let neither Daft nor Ray tell its makers that it is used, nor Daft draw a bar beside ours.

    They read these variables when they are imported, and so do the processes that they start.
    """
    os.environ.update(
        DAFT_ANALYTICS_ENABLED="0", DO_NOT_TRACK="1", RAY_USAGE_STATS_ENABLED="0", DAFT_PROGRESS_BAR="0"
    )


def _read_server(environ: Mapping[str, str], defaults: ServerSettings) -> ServerSettings:
    certificate = _read_path(environ, PREFIX + "SERVER_CERTIFICATE")
    key = _read_path(environ, PREFIX + "SERVER_KEY")
    client_ca = _read_path(environ, PREFIX + "CLIENT_CA")
    _check_pair(certificate, key, "SERVER_CERTIFICATE", "SERVER_KEY")
    if client_ca is not None and certificate is None:
        raise InvalidSetting(
            PREFIX + "CLIENT_CA",
            expected="set together with SERVER_CERTIFICATE",
            found=str(client_ca),
        )
    metrics_port = _read_count(environ, PREFIX + "METRICS_PORT", 0, most=65535)
    return ServerSettings(
        workers=_read_count(environ, PREFIX + "WORKERS", defaults.workers),
        waiting=_read_count(environ, PREFIX + "WAITING", defaults.waiting, least=0),
        grace_s=_read_seconds(environ, PREFIX + "GRACE_S", defaults.grace_s),
        notice_s=_read_seconds(environ, PREFIX + "NOTICE_S", defaults.notice_s),
        metrics_port=metrics_port or None,
        tls=ServerTls.of(certificate, key, client_ca),
    )


def _read_channel(environ: Mapping[str, str], defaults: ChannelSettings) -> ChannelSettings:
    switch = environ.get(PREFIX + "TLS", "").strip().lower()
    if switch not in ("", "on", "off"):
        raise InvalidSetting(PREFIX + "TLS", expected="on or off", found=switch)
    ca = _read_path(environ, PREFIX + "SERVER_CA")
    certificate = _read_path(environ, PREFIX + "CLIENT_CERTIFICATE")
    key = _read_path(environ, PREFIX + "CLIENT_KEY")
    _check_pair(certificate, key, "CLIENT_CERTIFICATE", "CLIENT_KEY")
    wanted = switch == "on" or (switch != "off" and (ca is not None or certificate is not None))
    return ChannelSettings(
        timeout_s=_read_seconds(environ, PREFIX + "TIMEOUT_S", defaults.timeout_s, least=0.001),
        attempts=_read_count(environ, PREFIX + "ATTEMPTS", defaults.attempts, most=5),
        keepalive_s=_read_seconds(environ, PREFIX + "KEEPALIVE_S", defaults.keepalive_s, least=10),
        tls=ClientTls(ca, certificate, key) if wanted else None,
    )


def _read_fetch(environ: Mapping[str, str], defaults: FetchSettings, *, max_bytes: int) -> FetchSettings:
    texts = environ.get(PREFIX + "FETCH_HOSTS", "").replace(",", " ").split()
    try:
        hosts = tuple(HostRule.parse(text) for text in texts)
    except ValueError as error:
        raise InvalidSetting(
            PREFIX + "FETCH_HOSTS",
            expected="names of hosts, *.name or *, with or without :port",
            found=_without_secrets(str(error)),
        ) from error
    return FetchSettings(
        hosts=hosts or defaults.hosts,
        max_bytes=max_bytes,
        timeout_s=_read_seconds(environ, PREFIX + "FETCH_TIMEOUT_S", defaults.timeout_s, least=0.001),
        connect_s=_read_seconds(environ, PREFIX + "FETCH_CONNECT_S", defaults.connect_s, least=0.001),
    )


def _read_rest(environ: Mapping[str, str], defaults: RestSettings, *, max_bytes: int) -> RestSettings:
    return RestSettings(
        max_body_bytes=_read_count(environ, PREFIX + "MAX_BODY_BYTES", max_bytes + ENVELOPE_BYTES),
        workers=_read_count(environ, PREFIX + "WORKERS", defaults.workers),
        in_flight=_read_count(environ, PREFIX + "IN_FLIGHT", defaults.in_flight),
        fetches=_read_count(environ, PREFIX + "FETCHES", defaults.fetches),
        connections=_read_count(environ, PREFIX + "CONNECTIONS", defaults.connections),
        body_s=_read_seconds(environ, PREFIX + "BODY_S", defaults.body_s, least=0.001),
        body_bytes_per_s=_read_count(
            environ, PREFIX + "BODY_BYTES_PER_S", defaults.body_bytes_per_s, least=0
        ),
        keep_alive_s=_read_seconds(environ, PREFIX + "KEEP_ALIVE_S", defaults.keep_alive_s, least=1),
        cache_bytes=_read_count(environ, PREFIX + "CACHE_BYTES", defaults.cache_bytes, least=0),
        api_keys=tuple(environ.get(PREFIX + "API_KEYS", "").replace(",", " ").split()),
        cors_origins=_read_origins(environ),
        metrics=_read_switch(environ, PREFIX + "METRICS", "on"),
    )


def _read_origins(environ: Mapping[str, str]) -> tuple[str, ...]:
    origins = environ.get(PREFIX + "CORS_ORIGINS", "").replace(",", " ").split()
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[^/\s@?#]+", origin):
            raise InvalidSetting(
                PREFIX + "CORS_ORIGINS",
                expected="origins such as https://example.org, or *",
                found=_without_secrets(origin),
            )
    return tuple(origins)


def _without_secrets(text: str) -> str:
    """What may be shown of an address that was given for a host."""
    return (plain_address(text) or UNREADABLE) if re.search(r"[@?#/\\]", text) else text


def _read_switch(environ: Mapping[str, str], variable: str, default: str) -> bool:
    switch = environ.get(variable, "").strip().lower() or default
    if switch not in ("on", "off"):
        raise InvalidSetting(variable, expected="on or off", found=switch)
    return switch == "on"


def _read_count(
    environ: Mapping[str, str], variable: str, default: int, *, least: int = 1, most: int | None = None
) -> int:
    """Read a whole number in a range; underscores may part its digits."""
    text = environ.get(variable, "").strip()
    if not text:
        return default
    try:
        count = int(text)
    except ValueError:
        count = least - 1
    if count < least or (most is not None and count > most):
        until = "" if most is None else f" and at most {most}"
        raise InvalidSetting(variable, expected=f"a whole number, at least {least}{until}", found=text)
    return count


def _read_seconds(environ: Mapping[str, str], variable: str, default: float, *, least: float = 0) -> float:
    text = environ.get(variable, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not least <= seconds <= MAX_SECONDS:  # and so never NaN
        raise InvalidSetting(variable, expected=f"a number of seconds, at least {least:g}", found=text)
    return seconds


def _read_path(environ: Mapping[str, str], variable: str) -> Path | None:
    text = environ.get(variable, "")
    return Path(text) if text else None


def _check_pair(certificate: Path | None, key: Path | None, first: str, second: str) -> None:
    """Refuse a certificate without its key, and the other way round."""
    for found, missing, variable in ((certificate, key, second), (key, certificate, first)):
        if found is not None and missing is None:
            raise InvalidSetting(PREFIX + variable, expected=f"set together with {found}", found="")
