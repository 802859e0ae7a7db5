"""A web host on 127.0.0.1 with raw answers, and a resolver and a transport that lead to it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import httpcore

Answer = bytes | Callable[[socket.socket], None]
PUBLIC = "93.184.216.34"  # what names resolve to in tests; `Detour` connects to 127.0.0.1 instead
NO_TRUST = ssl.SSLContext(
    ssl.PROTOCOL_TLS_CLIENT
)  # trusts no authority; made at once, unlike one with certifi's


def http_answer(
    body: bytes = b"", status: str = "200 OK", *, length: int | None = None, **headers: str
) -> bytes:
    """The bytes of an answer; header names are given with _ for -."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """A redirect to another address."""
    return http_answer(status=status, Location=location)


class LocalHost:
    """Answers each target (path and query) as set, others with 404; one request a connection.

    Attributes:
        connections: how many were accepted.
        asked: the head of each request.
    """

    def __init__(
        self, answers: Mapping[str, Answer] = {}, *, tls: ssl.SSLContext | None = None, greeting: bytes = b""
    ) -> None:
        self.answers = dict(answers)
        self.connections = 0
        self.asked: list[str] = []
        self._tls = tls
        self._greeting = greeting  # sent before the request, as in other protocols
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):  # otherwise a thread that waits in accept() would accept one more
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def wait(self, seconds: float) -> bool:
        """Wait within an answer; returns whether the host is closed."""
        return self._ended.wait(seconds)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                connection.sendall(self._greeting)
                head = b""
                while b"\r\n\r\n" not in head:
                    part = connection.recv(65536)
                    if not part:
                        return
                    head += part
                self.asked.append(head.decode())
                answer = self.answers.get(self.asked[-1].split()[1], http_answer(status="404 Not Found"))
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)


class Detour(httpcore.AnyIOBackend):
    """Connects to a local host instead of the requested one.

    Attributes:
        dialled: the requested IP address and port of each connection.
    """

    def __init__(self, host: LocalHost) -> None:
        self.dialled: list[tuple[str, int]] = []
        self._host = host

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        return await super().connect_tcp("127.0.0.1", self._host.port, timeout)


class Names:
    """A resolver that gives the answers set for a name one after another, and then repeats the last.

    Attributes:
        asked: every name that was looked up.
    """

    def __init__(self, names: Mapping[str, Sequence[Sequence[str]]] = {}) -> None:
        self.asked: list[str] = []
        self._names = {name: list(answers) for name, answers in names.items()}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self._names.get(host, [[PUBLIC]])
        return answers.pop(0) if len(answers) > 1 else answers[0]
