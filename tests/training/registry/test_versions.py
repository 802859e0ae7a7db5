import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import onnx
import pytest

from services.errors import ModelError
from tests.support.models import mean_colour_model
from training.errors import (
    DamagedModel,
    InvalidOptions,
    NotRegistered,
    RegistryDenied,
    RegistryRefused,
    RegistryUnavailable,
    RegistryUnsupported,
)
from training.files import sha256_of
from training.registry.registration import Candidate, register
from training.registry.versions import CHALLENGER, LOCAL, MODEL, Registry, RegistrySettings


def registered(registry: Registry, path) -> str:
    return register(registry, Candidate(path, {}, {})).number


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (LOCAL, LOCAL)),
        ({"MLFLOW_TRACKING_URI": "http://a"}, ("http://a", "http://a")),
        ({"MLFLOW_TRACKING_URI": "http://a", "MLFLOW_REGISTRY_URI": "http://b"}, ("http://a", "http://b")),
        ({"MLFLOW_TRACKING_URI": " ", "MLFLOW_REGISTRY_URI": "http://b"}, (LOCAL, "http://b")),
    ],
)
def test_the_registry_has_the_address_of_the_runs_by_default(variables, expected):
    settings = RegistrySettings.from_env(variables)

    assert (settings.tracking, settings.registry) == expected


def test_a_version_is_found_by_number_and_by_alias(registry, model_path):
    assert registry.find("champion") is None
    assert registry.find("1") is None
    assert registry.versions() == ()
    number = registered(registry, model_path)

    assert registry.version(CHALLENGER) == registry.version(number)
    assert registry.version(number).aliases == (CHALLENGER,)
    assert [version.number for version in registry.versions()] == [number]
    with pytest.raises(NotRegistered, match="gif-shows has no champion in the registry: promote one"):
        registry.version("champion")
    with pytest.raises(NotRegistered, match="gif-shows has no version 7 in the registry"):
        registry.version("7")


def test_pull_gives_the_file_that_was_registered(registry, model_path, tmp_path):
    number = registered(registry, model_path)

    classifier = registry.pull(registry.version(number), tmp_path / "new" / "pulled.onnx")

    assert (tmp_path / "new" / "pulled.onnx").read_bytes() == model_path.read_bytes()
    assert classifier.model.name == "mean-colour"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["pulled.onnx"]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ("other bytes", (DamagedModel, "its file has the digest")),
        ("no digest", (DamagedModel, "it has no digest")),
        ("other contract", (ModelError, "made for contract gif-analyzer/2")),
    ],
)
def test_pull_refuses_a_damaged_model_and_keeps_the_former_file(
    registry, model_path, tmp_path, damage, error
):
    number = registered(registry, model_path)
    [stored] = (tmp_path / "registry").rglob("model.onnx")
    (tmp_path / "pulled.onnx").write_bytes(b"older")
    if damage == "other bytes":
        stored.write_bytes(stored.read_bytes()[:-1])
    elif damage == "no digest":
        registry.client.delete_model_version_tag(MODEL, number, "sha256")
    else:
        onnx.save(mean_colour_model(metadata={"contract": "gif-analyzer/2"}), stored)
        registry.tag(number, {"sha256": sha256_of(stored)})

    with pytest.raises(error[0], match=error[1]):
        registry.pull(registry.version(number), tmp_path / "pulled.onnx")

    assert (tmp_path / "pulled.onnx").read_bytes() == b"older"
    assert not list(tmp_path.glob(".pulled*"))


@contextmanager
def server(status: int, body: str, *, delay_s: float = 0):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(delay_s)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *words):
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://user:s3cret@127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        httpd.server_close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (404, "<html>not here</html>", RegistryUnsupported, "answers 404 to a call of the model registry"),
        (401, "who are you?", RegistryDenied, "does not know this name and password"),
        (403, "no", RegistryDenied, "does not allow this user"),
        (500, "s3cret trouble", RegistryUnavailable, r"cannot be reached|failed: .*\*\*\* trouble"),
        (200, "<html>a login page</html>", RegistryUnavailable, "not in a valid JSON format"),
        (
            400,
            json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"}),
            RegistryRefused,
            "refused: INVALID_PARAMETER_VALUE: too long",
        ),
    ],
)
def test_an_error_of_the_server_is_one_line_without_the_password(monkeypatch, status, body, kind, message):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    with server(status, body) as address:
        registry = Registry(RegistrySettings(address, address))

        with pytest.raises(kind, match=message) as caught:
            registry.aliases()

    assert "s3cret" not in caught.value.message
    assert "127.0.0.1" in caught.value.message
    assert len(caught.value.message.splitlines()) == 1


@pytest.mark.parametrize(("delay_s", "message"), [(3, "gave no answer in time"), (None, "cannot be reached")])
def test_a_server_without_a_response_is_unavailable(monkeypatch, delay_s, message):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with server(200, "{}", delay_s=delay_s or 0) as running:
        address = running if delay_s else "http://user:s3cret@127.0.0.1:9"
        registry = Registry(RegistrySettings(address, address))

        with pytest.raises(
            RegistryUnavailable, match=rf"http://127\.0\.0\.1:\d+ ({message}|cannot be reached)"
        ):
            registry.find("champion")


def test_an_ambiguous_address_is_refused():
    with pytest.raises(InvalidOptions, match="MLFLOW_TRACKING_URI must be http") as caught:
        RegistrySettings.from_env({"MLFLOW_TRACKING_URI": "http://ann:s3c/ret@127.0.0.1:9/x.mlflow"})

    assert "s3c" not in caught.value.message + str(caught.value.details)


def test_messages_of_mlflow_lose_the_password(monkeypatch):
    address = "ftp://ann:s3cret@127.0.0.1/x?token=s3cret"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", address)  # MLflow sets it too

    with pytest.raises(RegistryRefused) as caught:
        Registry(RegistrySettings.from_env()).versions()

    assert "s3cret" not in caught.value.message
