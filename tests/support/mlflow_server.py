"""A real MLflow server that requires a name and a password."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.harness.servers import free_ports

ADMIN = "keeper"
PASSWORD = "a-long-password-7531"  # of a server that only exists during a test
STARTING_S = 300.0  # two processes import all of MLflow: minutes on a busy machine


@dataclass(frozen=True)
class MlflowServer:
    """A running server."""

    address: str  # http://127.0.0.1:PORT
    log: Path  # file of what it printed

    @property
    def environment(self) -> dict[str, str]:
        """The variables of this process with those of MLflow replaced by ones for this server."""
        return self.environment_with(password=PASSWORD)

    def environment_with(self, *, password: str) -> dict[str, str]:
        """The same with another password."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        return {
            **others,
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": ADMIN,
            "MLFLOW_TRACKING_PASSWORD": password,
        }


@contextmanager
def mlflow_server(folder: Path, *, variables: Mapping[str, str] = {}) -> Iterator[MlflowServer]:
    """Run `mlflow server --app-name basic-auth` on SQLite in this folder, on a free port of 127.0.0.1."""
    [port] = free_ports(1)
    (folder / "basic_auth.ini").write_text(
        "[mlflow]\n"
        "default_permission = READ\n"
        f"database_uri = sqlite:///{folder / 'auth.db'}\n"
        f"admin_username = {ADMIN}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        "auth_cache_ttl_seconds = 600\n"  # so that a correct password is hashed once, not for each request
    )
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    others = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment = {
        **others,
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "basic_auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of a test",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # not tested, and a process of its own
        **variables,
    }
    log = folder / "server.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=written, stderr=written, start_new_session=True
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait(server, address, log)
            yield MlflowServer(address, log)
        finally:
            stop(server)


def wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Return when a server answers at /health, or fail with what it logged."""
    deadline = time.monotonic() + STARTING_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            if requests.get(f"{address}/health", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and its workers, which are one process group."""
    for signal in (15, 9):
        try:
            os.killpg(server.pid, signal)
        except ProcessLookupError:
            break
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
