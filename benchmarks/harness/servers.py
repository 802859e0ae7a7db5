"""Starts this project's servers in processes of their own, and finds free ports."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 120.0  # to import ONNX Runtime, load a model and listen


def free_ports(count: int) -> list[int]:
    """Return different ports of 127.0.0.1 that nobody listens on now."""
    with contextlib.ExitStack() as held:  # all are held until the last is found
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


@dataclass(frozen=True)
class ServiceProcess:
    """A process that runs one of this project's servers."""

    process: subprocess.Popen[bytes]  # to signal and to wait for
    address: str  # where it listens, HOST:PORT
    log: Path  # file of its JSON lines

    def read_log(self) -> list[dict[str, Any]]:
        """Return everything that it logged until now."""
        return read_lines(self.log)


def start_services(*options: str) -> contextlib.AbstractContextManager[ServiceProcess]:
    """Start the services on a free port; see `start`."""
    return start("-m", "services", "--port", "0", *options)


@contextlib.contextmanager
def start(*words: str) -> Iterator[ServiceProcess]:
    """Start a server by these words after `python`; the end of the block stops it if it still runs.

    Raises:
        RuntimeError: it did not start; says what it logged.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen([sys.executable, *words], stderr=output)
        try:
            yield ServiceProcess(process, _wait_for_address(process, log), log)
        finally:
            process.terminate()
            try:
                process.wait(START_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        for line in read_lines(log):
            if line["message"] == "serving":
                return str(line["address"])
        time.sleep(0.02)
    raise RuntimeError(f"the server did not start: {log.read_text('utf-8')}")


def read_lines(log: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of a log."""
    whole = log.read_text("utf-8").rpartition("\n")[0]  # the last line may be incomplete
    return [json.loads(line) for line in whole.splitlines()]
