"""Both services as a process of their own: **options** -> a server, its address and what it logged."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 120.0  # to import ONNX Runtime, load a model and listen


@dataclass(frozen=True)
class ServiceProcess:
    """A server that runs `python -m services`.

    Attributes:
        process: to signal and to wait for.
        address: where it listens, HOST:PORT.
        log: the file of its JSON lines.
    """

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def read_log(self) -> list[dict[str, Any]]:
        """Everything that it logged until now."""
        return _read_lines(self.log)


@contextlib.contextmanager
def start_services(*options: str) -> Iterator[ServiceProcess]:
    """Start it on a free port of this machine; the end of the block ends it, if it has not ended by itself.

    Raises:
        RuntimeError: it did not start; says what it logged.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "services", "--port", "0", *options], stderr=output
            )
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
        for line in _read_lines(log):
            if line["message"] == "serving":
                return str(line["address"])
        time.sleep(0.02)
    raise RuntimeError(f"the services did not start: {log.read_text('utf-8')}")


def _read_lines(log: Path) -> list[dict[str, Any]]:
    whole = log.read_text("utf-8").rpartition("\n")[0]  # the last line may be half written
    return [json.loads(line) for line in whole.splitlines()]
