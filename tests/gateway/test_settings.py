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


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings(default_model_path(), 1, Budget())


def test_every_variable_reaches_its_setting() -> None:
    settings = Settings.from_env(
        {
            "GIF_ANALYZER_MODEL": "/models/mine.onnx",
            "GIF_ANALYZER_THREADS": "4",
            "GIF_ANALYZER_MAX_BYTES": "1_000",
            "GIF_ANALYZER_MAX_CANVAS_PIXELS": "2000",
            "GIF_ANALYZER_MAX_FRAMES": " 30 ",
            "GIF_ANALYZER_MAX_DECODED_PIXELS": "40000",
            "GIF_ANALYZER_EARLY_EXIT": "on",
        }
    )

    assert settings == Settings(
        Path("/models/mine.onnx"),
        4,
        Budget(1_000, 2_000, 30, 40_000),
        fetch=FetchSettings(max_bytes=1_000),
        rest=RestSettings(max_body_bytes=1_000 + ENVELOPE_BYTES),
        early_exit=True,
    )


def test_every_variable_of_the_gateway_reaches_its_setting() -> None:
    settings = Settings.from_env(
        {
            "GIF_ANALYZER_MAX_BODY_BYTES": "1_000",
            "GIF_ANALYZER_WORKERS": "3",
            "GIF_ANALYZER_IN_FLIGHT": "5",
            "GIF_ANALYZER_FETCHES": "6",
            "GIF_ANALYZER_CONNECTIONS": "7",
            "GIF_ANALYZER_BODY_S": "8.5",
            "GIF_ANALYZER_BODY_BYTES_PER_S": "0",
            "GIF_ANALYZER_KEEP_ALIVE_S": "620",
            "GIF_ANALYZER_CACHE_BYTES": "0",
            "GIF_ANALYZER_API_KEYS": "one, two",
            "GIF_ANALYZER_CORS_ORIGINS": "https://a.example http://localhost:3000",
            "GIF_ANALYZER_METRICS": "off",
        }
    )

    assert settings.rest == RestSettings(
        max_body_bytes=1_000,
        workers=3,
        in_flight=5,
        fetches=6,
        connections=7,
        body_s=8.5,
        body_bytes_per_s=0,
        keep_alive_s=620,
        cache_bytes=0,
        api_keys=("one", "two"),
        cors_origins=("https://a.example", "http://localhost:3000"),
        metrics=False,
    )
    assert "two" not in repr(settings)


def test_an_empty_variable_leaves_the_default() -> None:
    assert Settings.from_env({"GIF_ANALYZER_MODEL": "", "GIF_ANALYZER_THREADS": " "}) == Settings()


def test_every_variable_of_the_servers_reaches_its_setting() -> None:
    settings = Settings.from_env(
        {
            "GIF_ANALYZER_WORKERS": "3",
            "GIF_ANALYZER_WAITING": "0",
            "GIF_ANALYZER_GRACE_S": "1.5",
            "GIF_ANALYZER_NOTICE_S": "2",
            "GIF_ANALYZER_METRICS_PORT": "9090",
            "GIF_ANALYZER_SERVER_CERTIFICATE": "server.pem",
            "GIF_ANALYZER_SERVER_KEY": "key.pem",
            "GIF_ANALYZER_CLIENT_CA": "ca.pem",
        }
    )

    assert settings.server == ServerSettings(
        workers=3,
        waiting=0,
        grace_s=1.5,
        notice_s=2,
        metrics_port=9090,
        tls=ServerTls(Path("server.pem"), Path("key.pem"), Path("ca.pem")),
    )


def test_every_variable_of_the_clients_reaches_its_setting() -> None:
    settings = Settings.from_env(
        {
            "GIF_ANALYZER_TIMEOUT_S": "0.5",
            "GIF_ANALYZER_ATTEMPTS": "1",
            "GIF_ANALYZER_KEEPALIVE_S": "60",
            "GIF_ANALYZER_SERVER_CA": "ca.pem",
            "GIF_ANALYZER_CLIENT_CERTIFICATE": "client.pem",
            "GIF_ANALYZER_CLIENT_KEY": "key.pem",
        }
    )

    tls = ClientTls(Path("ca.pem"), Path("client.pem"), Path("key.pem"))
    assert settings.channel == ChannelSettings(timeout_s=0.5, attempts=1, keepalive_s=60, tls=tls)


@pytest.mark.parametrize(
    ("environ", "tls"),
    [
        ({"GIF_ANALYZER_TLS": "on"}, ClientTls()),
        ({"GIF_ANALYZER_TLS": "off", "GIF_ANALYZER_SERVER_CA": "ca.pem"}, None),
        ({}, None),
    ],
)
def test_tls_switch(environ: dict[str, str], tls: ClientTls | None) -> None:
    assert Settings.from_env(environ).channel.tls == tls


COUNT, SECONDS = "a whole number, at least", "a number of seconds, at least"
INVALID = [
    *(("THREADS", value, f"{COUNT} 1, it is '{value}'") for value in ("0", "-1", "two", "1.5", "1e6", "nan")),
    ("MAX_BYTES", "0", f"{COUNT} 1"),
    ("IN_FLIGHT", "0", f"{COUNT} 1"),
    ("FETCHES", "0", f"{COUNT} 1"),
    ("CONNECTIONS", "0", f"{COUNT} 1"),
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
    ("TLS", "maybe", "on or off"),
    ("CORS_ORIGINS", "example.org", "origins such as"),
    ("CORS_ORIGINS", "https://a.example/path", "origins such as"),
    *(
        ("FETCH_HOSTS", value, "names of hosts")
        for value in ("http://giphy.com", "giphy.com/", "*.*", "giphy.com:0", "a b@c", "*giphy.com", "é")
    ),
]


@pytest.mark.parametrize(("name", "value", "expected"), INVALID)
def test_an_invalid_value_is_an_error_that_names_the_variable(name: str, value: str, expected: str) -> None:
    with pytest.raises(InvalidSetting, match=f"GIF_ANALYZER_{name} must be {expected}"):
        Settings.from_env({f"GIF_ANALYZER_{name}": value})


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
        Settings.from_env({f"GIF_ANALYZER_{variable}": "a.pem"})


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        (
            "GIF_ANALYZER_MAX_BYTE",
            "unknown setting: GIF_ANALYZER_MAX_BYTE; did you mean GIF_ANALYZER_MAX_BYTES?",
        ),
        ("GIF_ANALYZER_API_KEY", "did you mean GIF_ANALYZER_API_KEYS?"),
        ("GIF_ANALYZER_model", "did you mean GIF_ANALYZER_"),
        ("GIF_ANALYZER_", "unknown setting: GIF_ANALYZER_"),
    ],
)
def test_misspelt_variable(variable: str, says: str) -> None:
    with pytest.raises(UnknownSetting) as error:
        Settings.from_env({variable: "secret"})

    assert says in error.value.message
    assert "secret" not in error.value.message


def test_variables_of_kubernetes_are_ignored() -> None:
    environ = {
        "GIF_ANALYZER_SERVICE_HOST": "10.0.0.1",
        "GIF_ANALYZER_SERVICE_PORT_HTTP": "80",
        "GIF_ANALYZER_PORT": "tcp://10.0.0.1:80",
        "GIF_ANALYZER_PORT_80_TCP_ADDR": "10.0.0.1",
    }

    assert Settings.from_env(environ) == Settings()


def test_nothing_else_reads_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for folder in ("services", "gateway")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"os\.environ(?!\.setdefault)|getenv|import environ", path.read_text("utf-8"))
    }

    assert readers == {"gateway/settings.py"}


def test_what_may_be_fetched_is_set() -> None:
    settings = Settings.from_env(
        {
            "GIF_ANALYZER_FETCH_HOSTS": "example.org, *.Example.org:8443 *",
            "GIF_ANALYZER_FETCH_TIMEOUT_S": "2.5",
            "GIF_ANALYZER_FETCH_CONNECT_S": "1",
            "GIF_ANALYZER_MAX_BYTES": "1000",
        }
    )

    assert settings.fetch == FetchSettings(
        hosts=(HostRule("example.org"), HostRule("example.org", below=True, port=8443), HostRule("*")),
        max_bytes=1000,
        timeout_s=2.5,
        connect_s=1,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FETCH_HOSTS", "https://ann:s3cret@example.org"),
        ("FETCH_HOSTS", "ann:s3c/ret@example.org"),
        ("CORS_ORIGINS", "https://ann:s3cret@example.org"),
        ("CORS_ORIGINS", "https://example.org/?key=s3cret"),
        ("CORS_ORIGINS", "https://ann:s3c/ret@example.org"),
    ],
)
def test_a_password_in_an_address_is_not_repeated(variable: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=f"GIF_ANALYZER_{variable} must be") as caught:
        Settings.from_env({f"GIF_ANALYZER_{variable}": value})

    assert "s3c" not in caught.value.message + str(caught.value.details)
