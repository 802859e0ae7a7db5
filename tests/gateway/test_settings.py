"""Settings from environment variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.fetch.address import FetchSettings, HostRule
from gateway.settings import ENVELOPE_BYTES, RestSettings, Settings
from services.errors import InvalidSetting, UnknownSetting
from services.inference import default_model_path
from services.preprocess import Budget
from services.rpc.settings import ChannelSettings, ClientTls, ServerSettings, ServerTls
from tests.support.paths import ROOT


def read(**variables: str) -> Settings:
    """The settings of these variables, whose names lack their prefix."""
    return Settings.from_env({f"GIF_ANALYZER_{name}": value for name, value in variables.items()})


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings(default_model_path(), 1, Budget())


def test_an_empty_variable_leaves_the_default() -> None:
    assert read(MODEL="", THREADS=" ") == Settings()


def test_every_variable_reaches_its_setting(tmp_path: Path) -> None:
    general = read(
        **{"MODEL": "/models/mine.onnx", "THREADS": "4", "EARLY_EXIT": "on", "MAX_BYTES": "1_000"},
        **{"SHADOW_MODEL": "/models/next.onnx", "SHADOW_SHARE": "0.5"},
        **{"MAX_CANVAS_PIXELS": "2000", "MAX_FRAMES": " 30 ", "MAX_DECODED_PIXELS": "40000"},
    )
    rest = read(
        **{"MAX_BODY_BYTES": "1_000", "WORKERS": "3", "IN_FLIGHT": "5", "FETCHES": "6", "CONNECTIONS": "7"},
        **{"BODY_S": "8.5", "BODY_BYTES_PER_S": "0", "KEEP_ALIVE_S": "620", "CACHE_BYTES": "0"},
        **{"API_KEYS": "one, two", "CORS_ORIGINS": "https://a.example http://localhost:3000"},
        **{"METRICS": "off", "HELD_BYTES": "1000", "ALLOWED_HOSTS": "gifs.example, *.example.org [::1] *"},
        **{"FEEDBACK": "off", "FEEDBACK_PER_MINUTE": "9"},
        **{"FEEDBACK_FILE": str(tmp_path / "log"), "FEEDBACK_GIFS": str(tmp_path)},
    )
    server = read(
        **{"WORKERS": "3", "WAITING": "0", "GRACE_S": "1.5", "NOTICE_S": "2", "METRICS_PORT": "9090"},
        **{"SERVER_CERTIFICATE": "server.pem", "SERVER_KEY": "key.pem", "CLIENT_CA": "ca.pem"},
    )
    channel = read(
        **{"TIMEOUT_S": "0.5", "ATTEMPTS": "1", "KEEPALIVE_S": "60", "SERVER_CA": "ca.pem"},
        **{"CLIENT_CERTIFICATE": "client.pem", "CLIENT_KEY": "key.pem"},
    )
    fetch = read(
        **{"FETCH_HOSTS": "example.org, *.Example.org:8443 *", "FETCH_TIMEOUT_S": "2.5"},
        **{"FETCH_CONNECT_S": "1", "MAX_BYTES": "1000"},
    )

    assert general == Settings(
        Path("/models/mine.onnx"),
        4,
        Budget(1_000, 2_000, 30, 40_000),
        fetch=FetchSettings(max_bytes=1_000),
        rest=RestSettings(max_body_bytes=1_000 + ENVELOPE_BYTES),
        early_exit=True,
        shadow_model=Path("/models/next.onnx"),
        shadow_share=0.5,
    )
    assert rest.rest == RestSettings(
        **{"max_body_bytes": 1_000, "workers": 3, "in_flight": 5, "fetches": 6, "connections": 7},
        **{"body_s": 8.5, "body_bytes_per_s": 0, "keep_alive_s": 620, "cache_bytes": 0},
        api_keys=("one", "two"),
        cors_origins=("https://a.example", "http://localhost:3000"),
        allowed_hosts=("gifs.example", "*.example.org", "[::1]", "*"),
        held_bytes=1_000,
        metrics=False,
        feedback=False,
        feedback_per_minute=9,
        feedback_file=tmp_path / "log",
        feedback_gifs=tmp_path,
    )
    assert "two" not in repr(rest)
    assert server.server == ServerSettings(
        **{"workers": 3, "waiting": 0, "grace_s": 1.5, "notice_s": 2, "metrics_port": 9090},
        tls=ServerTls(Path("server.pem"), Path("key.pem"), Path("ca.pem")),
    )
    tls = ClientTls(Path("ca.pem"), Path("client.pem"), Path("key.pem"))
    assert channel.channel == ChannelSettings(timeout_s=0.5, attempts=1, keepalive_s=60, tls=tls)
    hosts = (HostRule("example.org"), HostRule("example.org", below=True, port=8443), HostRule("*"))
    assert fetch.fetch == FetchSettings(hosts=hosts, max_bytes=1000, timeout_s=2.5, connect_s=1)


@pytest.mark.parametrize(
    ("variables", "tls"),
    [({"TLS": "on"}, ClientTls()), ({"TLS": "off", "SERVER_CA": "ca.pem"}, None), ({}, None)],
)
def test_tls_switch(variables: dict[str, str], tls: ClientTls | None) -> None:
    assert read(**variables).channel.tls == tls


COUNT, SECONDS = "a whole number, at least", "a number of seconds, at least"
INVALID = [
    *(("THREADS", value, f"{COUNT} 1, it is '{value}'") for value in ("0", "-1", "two", "1.5", "1e6", "nan")),
    ("MAX_BYTES", "0", f"{COUNT} 1"),
    ("IN_FLIGHT", "0", f"{COUNT} 1"),
    ("FETCHES", "0", f"{COUNT} 1"),
    ("CONNECTIONS", "0", f"{COUNT} 1"),
    ("HELD_BYTES", "25_000_000", f"{COUNT} 26000000"),
    *(
        ("ALLOWED_HOSTS", value, "names of hosts without ports")
        for value in ("a.example:80", "http://a/", "*.*")
    ),
    ("BODY_BYTES_PER_S", "-1", f"{COUNT} 0"),
    ("CACHE_BYTES", "-1", f"{COUNT} 0"),
    ("ATTEMPTS", "6", f"{COUNT} 1 and at most 5"),
    ("METRICS_PORT", "65536", f"{COUNT} 1 and at most 65535"),
    ("BODY_S", "0", f"{SECONDS} 0.001"),
    ("KEEP_ALIVE_S", "nan", f"{SECONDS} 1"),
    ("GRACE_S", "-1", f"{SECONDS} 0"),
    ("TIMEOUT_S", "nan", f"{SECONDS} 0.001"),
    ("KEEPALIVE_S", "5", f"{SECONDS} 10"),
    *(("FETCH_TIMEOUT_S", value, f"{SECONDS} 0.001") for value in ("0", "-1", "soon", "nan", "inf")),
    ("FETCH_CONNECT_S", "0", f"{SECONDS} 0.001"),
    ("METRICS", "yes", "on or off"),
    ("FEEDBACK", "yes", "on or off"),
    *(("SHADOW_SHARE", value, "a number above 0 and at most 1") for value in ("0", "1.5", "nan", "some")),
    ("FEEDBACK_PER_MINUTE", "0", f"{COUNT} 1"),
    ("FEEDBACK_FILE", "/nowhere/feedback.log", "a file that can be appended to"),
    ("FEEDBACK_GIFS", "/nowhere", "a folder that can be written to"),
    ("FEEDBACK_GIFS", "/tmp", "set together with GIF_ANALYZER_API_KEYS"),
    ("TLS", "maybe", "on or off"),
    *(("CORS_ORIGINS", value, "origins such as") for value in ("example.org", "https://a.example/path")),
    *(
        ("FETCH_HOSTS", value, "names of hosts")
        for value in ("http://giphy.com", "giphy.com/", "*.*", "giphy.com:0", "a b@c", "*giphy.com", "é")
    ),
]


@pytest.mark.parametrize(("name", "value", "expected"), INVALID)
def test_an_invalid_value_is_an_error_that_names_the_variable(name: str, value: str, expected: str) -> None:
    with pytest.raises(InvalidSetting, match=f"GIF_ANALYZER_{name} must be {expected}"):
        read(**{name: value})


@pytest.mark.parametrize(
    ("variable", "missing", "other"),
    [
        ("SERVER_CERTIFICATE", "SERVER_KEY", "a.pem"),
        ("CLIENT_KEY", "CLIENT_CERTIFICATE", "a.pem"),
        ("CLIENT_CA", "CLIENT_CA", "SERVER_CERTIFICATE"),
    ],
)
def test_files_of_tls_are_set_together(variable: str, missing: str, other: str) -> None:
    with pytest.raises(InvalidSetting, match=f"GIF_ANALYZER_{missing} must be set together with {other}"):
        read(**{variable: "a.pem"})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("MAX_BYTE", "unknown setting: GIF_ANALYZER_MAX_BYTE; did you mean GIF_ANALYZER_MAX_BYTES?"),
        ("API_KEY", "did you mean GIF_ANALYZER_API_KEYS?"),
        ("model", "did you mean GIF_ANALYZER_"),
        ("", "unknown setting: GIF_ANALYZER_"),
    ],
)
def test_misspelt_variable(name: str, says: str) -> None:
    with pytest.raises(UnknownSetting) as error:
        read(**{name: "secret"})

    assert says in error.value.message
    assert "secret" not in error.value.message


def test_variables_of_kubernetes_are_ignored() -> None:
    named = ("SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP_ADDR")

    assert read(**dict.fromkeys(named, "10.0.0.1")) == Settings()


def test_nothing_else_reads_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for folder in ("services", "gateway")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"os\.environ(?!\.setdefault)|getenv|import environ", path.read_text("utf-8"))
    }

    assert readers == {"gateway/settings.py", "services/otel.py"}  # the latter reads the standard OTEL_*


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FETCH_HOSTS", "https://ann:s3cret@example.org"),
        ("FETCH_HOSTS", "ann:s3c/ret@example.org"),
        ("CORS_ORIGINS", "https://ann:s3cret@example.org"),
        ("CORS_ORIGINS", "https://example.org/?key=s3cret"),
        ("CORS_ORIGINS", "https://ann:s3c/ret@example.org"),
    ],
)
def test_a_password_in_an_address_is_not_repeated(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=f"GIF_ANALYZER_{name} must be") as caught:
        read(**{name: value})

    assert "s3c" not in caught.value.message + str(caught.value.details)
