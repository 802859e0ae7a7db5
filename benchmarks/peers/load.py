"""A server to ask, and how it is asked: **GIFs, how many clients** -> requests -> **shows in order**."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from benchmarks.crew import ONE_THREAD, core
from benchmarks.environments import ROOT

START_S = 150.0  # to listen and to answer for the first time
END_S = 10.0
FIRST = "BENCHMARK_FIRST_CORE"  # the processor that servers keep to


class Service(Protocol):
    """Something that names the show of a GIF."""

    def ask(self, gif: bytes) -> str:
        """Send one GIF and read its show."""

    def close(self) -> None:
        """Let go of connections."""


class Program:
    """A server's process on the first processor, with its children.

    Args:
        command: to start it.
        log: file for what it prints.
        environment: beside this process's own.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        first = int(os.environ.get(FIRST) or core(0))
        with log.open("wb") as printed:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                cwd=ROOT,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT), **environment},
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {first}),  # noqa: PLW1509 - no threads here yet
            )

    def wait(self) -> None:
        """Let it end by itself.

        Raises:
            RuntimeError: it failed; says what it printed last.
        """
        if self._process.wait(START_S):
            raise RuntimeError(f"it ended with {self._process.returncode}: {self._last_line()}")

    def wait_for(self, ask: Callable[[], object]) -> None:
        """Ask until there is an answer.

        Raises:
            RuntimeError: it ended, or none came in time; says what it printed last.
        """
        end = time.monotonic() + START_S
        reason = ""
        while time.monotonic() < end and self._process.poll() is None:
            try:
                ask()
                return
            except Exception as error:  # every client has its own words for "not yet"
                reason = f"{type(error).__name__}: {error}"
            time.sleep(0.3)
        ended = self._process.poll()
        state = "it does not answer" if ended is None else f"it ended with {ended}"
        raise RuntimeError(f"{state}: {reason[:120]}: {self._last_line()}")

    def end(self) -> None:
        """Ask it to end, with its children; then make it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)

    def _last_line(self) -> str:
        printed = self._log.read_text("utf-8", "replace").splitlines()
        return next((line.strip()[:150] for line in reversed(printed) if line.strip()), "it printed nothing")


class HttpService:
    """A service that takes a GIF by POST.

    Args:
        port: on this machine.
        path: of the address.
        wrap: GIF -> body and headers.
        read: body of the answer -> show.
    """

    def __init__(
        self,
        port: int,
        path: str,
        wrap: Callable[[bytes], tuple[bytes, Mapping[str, str]]],
        read: Callable[[bytes], str],
    ) -> None:
        self._port, self._path, self._wrap, self._read = port, path, wrap, read
        self._local = threading.local()

    def ask(self, gif: bytes) -> str:
        """See `Service`; each thread keeps its connection.

        Raises:
            RuntimeError: the answer is an error.
        """
        body, headers = self._wrap(gif)
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=60
            )
        try:
            connection.request("POST", self._path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"HTTP {answer.status}: {content[:200]!r}")
        return self._read(content)

    def close(self) -> None:
        """Nothing to do: connections end with their threads."""


class GrpcService:
    """Both steps of this project over gRPC."""

    def __init__(self, address: str) -> None:
        from services.inference.rpc import RemoteClassifier  # noqa: PLC0415 - an extra
        from services.preprocess.rpc import RemotePreprocess  # noqa: PLC0415

        self._stack = contextlib.ExitStack()
        self._preprocess = self._stack.enter_context(RemotePreprocess(address))
        self._classifier = self._stack.enter_context(RemoteClassifier(address))

    def ask(self, gif: bytes) -> str:
        """See `Service`."""
        return self._classifier.classify(self._preprocess.decode_gif(gif), 1).shows[0].show

    def close(self) -> None:
        """End the connections."""
        self._stack.close()


_numbers = itertools.count()


def send_all(service: Service, gifs: Sequence[bytes], requests: int, clients: int) -> list[str]:
    """Send the GIFs in turn, so many in all, by so many clients at the same time; the shows in order.

    No two requests are the same: a server that answers one question once for all who ask it gains nothing.
    """
    turns = [
        with_comment(gifs[number % len(gifs)], f"request {next(_numbers)}") for number in range(requests)
    ]
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(service.ask, turns))


def with_comment(gif: bytes, comment: str) -> bytes:
    """The same pictures in other bytes: a comment block before the trailer, if there is one."""
    text = comment.encode("ascii")[:255]
    if not gif.endswith(b";"):
        return gif
    return gif[:-1] + b"!\xfe" + bytes([len(text)]) + text + b"\0;"
