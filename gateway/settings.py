"""The settings of the gateway, read from environment variables. Nothing else reads the environment.

A variable is named after its field, such as GIF_ANALYZER_IN_FLIGHT for `RestSettings.in_flight`. README.md,
docs/rest.md, docs/grpc.md and docs/fetch.md describe them all.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.fetch.address import FetchSettings, HostRule
from services.errors import InvalidSetting, UnknownSetting
from services.inference import default_model_path
from services.inference.answers import Interface
from services.inference.shadow import SHARE, Shadow
from services.names import UNREADABLE, plain_address
from services.preprocess import Budget
from services.rpc.settings import ChannelSettings, ClientTls, ServerSettings, ServerTls

PREFIX = "GIF_ANALYZER_"
MAX_SECONDS = 86_400.0  # a day: what is longer is a mistake
ENVELOPE_BYTES = 1_000_000  # room for multipart around a GIF, and to name the limit that a GIF exceeds
# Kubernetes sets such variables in every container where a service is named gif-analyzer.
_OF_KUBERNETES = re.compile(PREFIX + r"(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_.*)")


@dataclass(frozen=True)
class RestSettings:
    """How the REST gateway answers.

    Attributes:
        max_body_bytes: of a request; a longer one is refused before it is read whole.
        body_advice: what the refusal adds, where larger GIFs can be sent in another way.
        workers: GIFs computed at the same time, at least 1.
        in_flight: GIFs that are computed or wait for it at the same time, at least 1; more are refused with a
            time to come again. A body that is still arriving does not count.
        fetches: addresses that are fetched at the same time, at least 1; more are refused likewise.
        held_bytes: memory for all bodies and fetched files together, at least `max_body_bytes`; what would
            take more is refused likewise.
        connections: open at the same time, at least 1. One more closes the connection that has been idle
            longest; if none is idle, its body is refused.
        body_s: seconds that a whole body may take, more than 0.
        body_bytes_per_s: that must arrive of a body, measured over ten seconds; 0 for no such limit.
        keep_alive_s: seconds that a connection stays open after an answer, more than 0. Longer than the 60 s
            of usual load balancers: they must be the ones to close it, or they send into a closed one.
        cache_bytes: memory for kept answers, 0 for none.
        api_keys: one of which must be sent; none lets everybody in. Never logged.
        cors_origins: whose pages may send requests from a browser, such as https://example.org, or * for all.
        allowed_hosts: for which the gateway answers: names, *.name or *; none for all. `gateway.rest.server`
            adds the names of this machine where only it can connect.
        metrics: whether /metrics answers.
        feedback: whether feedback on answers is taken.
        feedback_per_minute: at least 1; more is refused.
        feedback_file: to append feedback to; None writes it to the log.
        feedback_gifs: folder for GIFs that users give for training, which takes a key; None keeps none.
        interface: that the log names with each answer; not a variable of the environment.
    """

    max_body_bytes: int = 25_000_000 + ENVELOPE_BYTES
    body_advice: str = ""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    in_flight: int = 64
    fetches: int = 64
    held_bytes: int = 200_000_000  # seven bodies of full length, and a hundred usual ones
    connections: int = 512  # with fetches, within the 1,024 open files that Linux gives a process
    body_s: float = 300.0
    body_bytes_per_s: int = 1_000
    keep_alive_s: float = 75.0
    cache_bytes: int = 32_000_000  # some thousand answers; a hundred of them with their pictures take 10 MB
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    metrics: bool = True
    feedback: bool = True
    feedback_per_minute: int = 60
    feedback_file: Path | None = None
    feedback_gifs: Path | None = None
    interface: Interface = "rest"


@dataclass(frozen=True)
class Settings:
    """All settings.

    Attributes:
        model: path of the model file.
        threads: that decoding or classifying one GIF may use, at least 1.
        budget: what a GIF may cost.
        server: of the services that are started here; their address is an option of the command.
        channel: how services elsewhere are called.
        fetch: what may be fetched by its address; the size of a file is that of the budget.
        rest: of the REST gateway that is started here.
        early_exit: whether a classification may stop when the first frames decide.
        library: path of a library of known clips; None uses none.
        shadow_model: path of a challenger that servers ask beside the model; None asks none.
        shadow_share: of the GIFs, above 0 and at most 1, that it is asked about.
    """

    model: Path = field(default_factory=default_model_path)
    threads: int = 1
    budget: Budget = field(default_factory=Budget)
    server: ServerSettings = field(default_factory=ServerSettings)
    channel: ChannelSettings = field(default_factory=ChannelSettings)
    fetch: FetchSettings = field(default_factory=FetchSettings)
    rest: RestSettings = field(default_factory=RestSettings)
    early_exit: bool = False
    library: Path | None = None
    shadow_model: Path | None = None
    shadow_share: float = SHARE

    def open_shadow(self) -> Shadow | None:
        """Load the challenger; None without one.

        Raises:
            ModelError: the file is not a usable model.
        """
        return None if self.shadow_model is None else Shadow(self.shadow_model, share=self.shadow_share)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables; one that is not set, or empty, leaves its default.

        Raises:
            InvalidSetting: names the variable and what it must be.
            UnknownSetting: a variable begins with GIF_ANALYZER_ and is not a setting.
        """
        read = _Environ(environ)
        settings = cls._read(read)
        read.check_names()
        return settings

    @classmethod
    def _read(cls, read: _Environ) -> Settings:
        defaults = cls()
        budget = dataclasses.replace(
            defaults.budget,
            **read.numbers(defaults.budget, {limit.name: 1 for limit in dataclasses.fields(Budget)}),
        )
        return cls(
            model=read.path("MODEL") or defaults.model,
            threads=read.count("THREADS", defaults.threads),
            budget=budget,
            server=_read_server(read, defaults.server),
            channel=_read_channel(read, defaults.channel),
            fetch=_read_fetch(read, defaults.fetch, max_bytes=budget.max_bytes),
            rest=_read_rest(read, defaults.rest, max_bytes=budget.max_bytes),
            early_exit=read.switch("EARLY_EXIT") or False,
            library=read.path("LIBRARY"),
            shadow_model=read.path("SHADOW_MODEL"),
            shadow_share=read.share("SHADOW_SHARE", defaults.shadow_share),
        )

    @classmethod
    def variables(cls) -> frozenset[str]:
        """Return the names of all variables that are settings."""
        read = _Environ({})
        cls._read(read)
        return frozenset(read.names)


def names_of_settings(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of the variables that are meant as settings of this project, sorted."""
    return sorted(name for name in environ if name.startswith(PREFIX) and not _OF_KUBERNETES.fullmatch(name))


def is_loopback(host: str) -> bool:
    """Whether a server that listens at `host` can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def silence_libraries() -> None:
    """Turn off the telemetry of Daft and Ray, and Daft's progress bar.

    They read these variables when they are imported, and so do the processes that they start.
    """
    os.environ.update(
        DAFT_ANALYTICS_ENABLED="0", DO_NOT_TRACK="1", RAY_USAGE_STATS_ENABLED="0", DAFT_PROGRESS_BAR="0"
    )


class _Environ:
    """Reads variables by their name without the prefix, and remembers the names: these are all settings."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.names: set[str] = set()

    def text(self, name: str) -> str:
        self.names.add(PREFIX + name)
        return self._environ.get(PREFIX + name, "")

    def words(self, name: str) -> list[str]:
        """Read words that are separated by commas or blanks."""
        return self.text(name).replace(",", " ").split()

    def path(self, name: str) -> Path | None:
        text = self.text(name)
        return Path(text) if text else None

    def switch(self, name: str) -> bool | None:
        """Read "on" or "off"; None where nothing is set."""
        text = self.text(name).strip().lower()
        if text not in ("", "on", "off"):
            raise InvalidSetting(PREFIX + name, expected="on or off", found=text)
        return text == "on" if text else None

    def count(self, name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
        """Read a whole number in a range; underscores may separate its digits."""
        text = self.text(name).strip()
        if not text:
            return default
        try:
            count = int(text)
        except ValueError:
            count = least - 1
        if count < least or (most is not None and count > most):
            until = "" if most is None else f" and at most {most}"
            expected = f"a whole number, at least {least}{until}"
            raise InvalidSetting(PREFIX + name, expected=expected, found=text)
        return count

    def seconds(self, name: str, default: float, *, least: float = 0) -> float:
        text = self.text(name).strip()
        if not text:
            return default
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not least <= seconds <= MAX_SECONDS:  # and so never NaN
            expected = f"a number of seconds, at least {least:g}"
            raise InvalidSetting(PREFIX + name, expected=expected, found=text)
        return seconds

    def share(self, name: str, default: float) -> float:
        """Read a number above 0 and at most 1."""
        text = self.text(name).strip()
        try:
            share = float(text) if text else default
        except ValueError:
            share = math.nan
        if not 0 < share <= 1:  # and so never NaN
            raise InvalidSetting(PREFIX + name, expected="a number above 0 and at most 1", found=text)
        return share

    def numbers(self, defaults: object, least: Mapping[str, float]) -> dict[str, Any]:
        """Read numbers for fields of `defaults`, a settings object; `least` has their smallest values."""
        found: dict[str, Any] = {}
        for name, limit in least.items():
            default = getattr(defaults, name)
            if isinstance(default, int):
                found[name] = self.count(name.upper(), default, least=int(limit))
            else:
                found[name] = self.seconds(name.upper(), default, least=limit)
        return found

    def certificate(self, side: str) -> tuple[Path | None, Path | None]:
        """Read the certificate and the key of a side, "SERVER" or "CLIENT": both or none."""
        names = f"{side}_CERTIFICATE", f"{side}_KEY"
        certificate, key = map(self.path, names)
        for found, missing, name in ((certificate, key, names[1]), (key, certificate, names[0])):
            if found is not None and missing is None:
                raise InvalidSetting(PREFIX + name, expected=f"set together with {found}", found="")
        return certificate, key

    def check_names(self) -> None:
        """Raise UnknownSetting for a variable that was never read: misspelt, it would silently do nothing."""
        for name in names_of_settings(self._environ):
            if name not in self.names:
                near = difflib.get_close_matches(name, sorted(self.names), n=1)
                raise UnknownSetting(name, nearest=near[0] if near else None)


def _read_server(read: _Environ, defaults: ServerSettings) -> ServerSettings:
    certificate, key = read.certificate("SERVER")
    client_ca = read.path("CLIENT_CA")
    if client_ca is not None and certificate is None:
        expected = "set together with SERVER_CERTIFICATE"
        raise InvalidSetting(PREFIX + "CLIENT_CA", expected=expected, found=str(client_ca))
    return ServerSettings(
        **read.numbers(defaults, {"workers": 1, "waiting": 0, "grace_s": 0, "notice_s": 0}),
        metrics_port=read.count("METRICS_PORT", 0, most=65535) or None,
        tls=ServerTls.of(certificate, key, client_ca),
    )


def _read_channel(read: _Environ, defaults: ChannelSettings) -> ChannelSettings:
    switch, ca = read.switch("TLS"), read.path("SERVER_CA")
    certificate, key = read.certificate("CLIENT")
    wanted = switch or (switch is None and (ca is not None or certificate is not None))
    return ChannelSettings(
        **read.numbers(defaults, {"timeout_s": 0.001, "keepalive_s": 10}),
        attempts=read.count("ATTEMPTS", defaults.attempts, most=5),
        tls=ClientTls(ca, certificate, key) if wanted else None,
    )


def _read_fetch(read: _Environ, defaults: FetchSettings, *, max_bytes: int) -> FetchSettings:
    try:
        hosts = tuple(HostRule.parse(text) for text in read.words("FETCH_HOSTS"))
    except ValueError as error:
        raise InvalidSetting(
            PREFIX + "FETCH_HOSTS",
            expected="names of hosts, *.name or *, with or without :port",
            found=_without_secrets(str(error)),
        ) from error
    return FetchSettings(
        hosts=hosts or defaults.hosts,
        max_bytes=max_bytes,
        timeout_s=read.seconds("FETCH_TIMEOUT_S", defaults.timeout_s, least=0.001),
        connect_s=read.seconds("FETCH_CONNECT_S", defaults.connect_s, least=0.001),
    )


def _read_rest(read: _Environ, defaults: RestSettings, *, max_bytes: int) -> RestSettings:
    metrics, origins, hosts = read.switch("METRICS"), read.words("CORS_ORIGINS"), read.words("ALLOWED_HOSTS")
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[^/\s@?#]+", origin):
            raise InvalidSetting(
                PREFIX + "CORS_ORIGINS",
                expected="origins such as https://example.org, or *",
                found=_without_secrets(origin),
            )
    for host in hosts:
        if not re.fullmatch(r"\*|(\*\.)?[\w.-]+|\[[\da-fA-F:.]+\]", host):
            raise InvalidSetting(
                PREFIX + "ALLOWED_HOSTS",
                expected="names of hosts without ports, *.name or *",
                found=_without_secrets(host),
            )
    max_body_bytes = read.count("MAX_BODY_BYTES", max_bytes + ENVELOPE_BYTES)
    numbers = {"workers": 1, "in_flight": 1, "fetches": 1, "connections": 1, "body_s": 0.001}
    numbers |= {"body_bytes_per_s": 0, "keep_alive_s": 1, "cache_bytes": 0, "feedback_per_minute": 1}
    feedback, keys = read.switch("FEEDBACK"), tuple(read.words("API_KEYS"))
    file, gifs = read.path("FEEDBACK_FILE"), read.path("FEEDBACK_GIFS")
    if file is not None and not _can_append(file):
        expected = "a file that can be appended to"
        raise InvalidSetting(PREFIX + "FEEDBACK_FILE", expected=expected, found=str(file))
    if gifs is not None and not (gifs.is_dir() and os.access(gifs, os.W_OK)):
        expected = "a folder that can be written to"
        raise InvalidSetting(PREFIX + "FEEDBACK_GIFS", expected=expected, found=str(gifs))
    if gifs is not None and not keys:
        expected = "set together with GIF_ANALYZER_API_KEYS"
        raise InvalidSetting(PREFIX + "FEEDBACK_GIFS", expected=expected, found=str(gifs))
    return RestSettings(
        **read.numbers(defaults, numbers),
        max_body_bytes=max_body_bytes,
        held_bytes=read.count("HELD_BYTES", max(defaults.held_bytes, max_body_bytes), least=max_body_bytes),
        api_keys=keys,
        cors_origins=tuple(origins),
        allowed_hosts=tuple(hosts),
        metrics=metrics if metrics is not None else defaults.metrics,
        feedback=feedback if feedback is not None else defaults.feedback,
        feedback_file=file,
        feedback_gifs=gifs,
    )


def _can_append(path: Path) -> bool:
    return os.access(path if path.exists() else path.parent, os.W_OK) and not path.is_dir()


def _without_secrets(text: str) -> str:
    """Return what may be shown of an address that was given in place of a host."""
    return (plain_address(text) or UNREADABLE) if re.search(r"[@?#/\\]", text) else text
