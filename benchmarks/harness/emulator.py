"""Runs an unpacked bundle on this machine with AWS Lambda's Runtime Interface Emulator.

The function's interpreter sees the bundle, Lambda's runtime client and its standard library, but no installed
package. As in Lambda the bundle is the working directory and nothing is written to it. The emulator starts
the function at the first event, which is a cold start. It enforces limits neither of memory nor of request
sizes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.harness.servers import free_ports
from delivery.bundle.python import find_python, version_of
from delivery.errors import MissingTool
from delivery.request import Request, Response, from_result, to_event

HANDLER = "gateway.lambda_handler.handler"
RIE = ROOT / ".venv/lambda/aws-lambda-rie"
RUNTIME_CLIENTS = ROOT / ".venv/runtime-client"
START_S = 30.0  # to listen
ANSWER_S = 120.0  # to answer one event, on a busy machine after a cold start
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # ignores proxies of the environment


class Emulator:
    """A running function; boto3 can call it at `endpoint` under the name `function`.

    Args:
        folder: the unpacked bundle.
        python: minor version that the bundle was built for, or the path of an interpreter.
        handler: module and function.
        environment: of the function, added to what Lambda sets.
        wrapper: a command that starts the emulator, e.g. taskset with its options.

    Raises:
        MissingTool: this Python is not on the machine.
        RuntimeError: the emulator did not start; says what it printed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        python: str | Path,
        handler: str = HANDLER,
        environment: Mapping[str, str] = {},
        wrapper: Sequence[str] = (),
    ) -> None:
        interpreter = python if isinstance(python, Path) else find_python(python)
        port, runtime_port = free_ports(2)
        self.endpoint = f"http://127.0.0.1:{port}"
        self._log = tempfile.NamedTemporaryFile(prefix="emulator-", suffix=".log")  # noqa: SIM115 - until stop()
        self.process = subprocess.Popen(
            [
                *wrapper,
                str(RIE),
                *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),  # else it listens everywhere
                *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
                *(str(interpreter), "-S", "-m", "awslambdaric", handler),
            ],
            cwd=folder,
            env={
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
                "TZ": ":UTC",
                # After the bundle, which `-m` puts first.
                "PYTHONPATH": str(RUNTIME_CLIENTS / version_of(interpreter)),
                "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's /var/task is read-only
                "LAMBDA_TASK_ROOT": str(folder),
                "AWS_REGION": "eu-central-1",
                "AWS_LAMBDA_FUNCTION_NAME": "function",
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(int(ANSWER_S)),
                **environment,
            },
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._wait_until_it_listens(port)

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the emulator and the function."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def invoke(self, event: object) -> Any:
        """Invoke the function with an event; return its result, or {"errorType", "errorMessage", …}."""
        return json.loads(self.invoke_bytes(json.dumps(event).encode()))

    def invoke_bytes(self, event: bytes) -> bytes:
        """Do the same with JSON in bytes, so that a timer measures no parsing.

        Raises:
            RuntimeError: there was no answer; says what the emulator printed.
        """
        address = f"{self.endpoint}/2015-03-31/functions/function/invocations"
        try:
            with _OPENER.open(urllib.request.Request(address, data=event), timeout=ANSWER_S) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return error.read()
        except OSError as error:
            raise RuntimeError(f"no answer ({error}); it printed: {self.read_log()}") from error

    def ask(self, request: Request) -> Response:
        """Send a request as a Function URL does.

        Raises:
            ValueError: the function failed, or returned something that a Function URL cannot send.
        """
        result = self.invoke(to_event(request))
        if "errorType" in result:
            raise ValueError(f"the function failed: {result['errorType']}: {result['errorMessage']}")
        return from_result(result)

    def read_log(self) -> str:
        """Return everything that emulator and function printed until now."""
        return Path(self._log.name).read_text("utf-8", "replace")

    def peak_memory_bytes(self) -> int:
        """Return the peak memory of the function's own process; it must have been invoked before."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        [pid] = [pid for listed in children for pid in listed.read_text().split()]
        status = Path(f"/proc/{pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024  # the kernel says kB

    def _wait_until_it_listens(self, port: int) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.01)
        printed = self.read_log()
        self.stop()
        raise RuntimeError(f"the emulator did not start: {printed}")


def missing_part(python: str) -> str | None:
    """Say what is missing to emulate a function of this Python version; None if nothing is."""
    if not RIE.is_file():
        return "This needs AWS Lambda's Runtime Interface Emulator: make .venv/lambda/aws-lambda-rie."
    if not (RUNTIME_CLIENTS / python).is_dir():
        return "This needs the runtime client of AWS Lambda: make .venv/runtime-client/ready."
    try:
        find_python(python)
    except MissingTool as error:
        return error.message
    return None
