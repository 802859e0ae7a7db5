"""Measures what hostile clients cost a REST gateway: invented methods, and uploads that stall."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import typer

from benchmarks.harness.servers import ServiceProcess, start

GATEWAY = ("-c", "from gateway.cli import main; main()", "serve", "rest", "--port", "0")
SETTLE_S = 1.0  # after the last byte of an upload, before memory is read
STILL_S = 5.0  # without a change of memory after which a process has started
ANSWER_S = 0.05  # to wait for an early answer of each upload


def measure(*, methods: int, uploads: int, bytes_each: int) -> dict[str, float]:
    """Send the requests to a new gateway each; memory is in MB of a million bytes."""
    with start(*GATEWAY) as gateway:
        process, (host, port) = gateway.process.pid, _place(gateway)
        idle_mb = settled_mb(process)
        invent_methods(host, port, methods)
        begun = time.perf_counter()
        page = ask(host, port, "/metrics")
        page_s = time.perf_counter() - begun
        after_methods_mb = memory_mb(process)
    with start(*GATEWAY) as gateway:
        idle_mb_again = settled_mb(gateway.process.pid)
        with stalled(*_place(gateway), uploads, bytes_each) as refused:
            held_mb = memory_mb(gateway.process.pid)
    return {
        "methods": methods,
        "metrics_bytes": len(page),
        "metrics_ms": round(1000 * page_s, 1),
        "memory_of_methods_mb": round(after_methods_mb - idle_mb, 1),
        "uploads": uploads,
        "bytes_each": bytes_each,
        "refused": refused,
        "memory_of_uploads_mb": round(held_mb - idle_mb_again, 1),
    }


def _place(gateway: ServiceProcess) -> tuple[str, int]:
    host, _, port = gateway.address.rpartition(":")
    return host, int(port)


def invent_methods(host: str, port: int, count: int) -> None:
    """Send requests with a method of their own each, over one connection."""
    client = http.client.HTTPConnection(host, port, timeout=60)
    with contextlib.closing(client):
        for number in range(count):
            client.request(f"INVENTED{number}", "/")
            client.getresponse().read()


@contextlib.contextmanager
def stalled(host: str, port: int, count: int, bytes_each: int) -> Iterator[int]:
    """Send all but the last byte of some uploads, and keep them open; yields how many were refused."""
    head = (
        f"POST /v1/identify HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/gif\r\n"
        f"Content-Length: {bytes_each}\r\n\r\n"
    )
    refused = 0
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            upload = opened.enter_context(socket.create_connection((host, port), timeout=60))
            upload.sendall(head.encode() + bytes(bytes_each - 1))
            upload.settimeout(ANSWER_S)
            with contextlib.suppress(TimeoutError):
                refused += upload.recv(100).startswith(b"HTTP/1.1 429")
        time.sleep(SETTLE_S)
        yield refused


def ask(host: str, port: int, path: str) -> bytes:
    """Return the body of an answer with status 200."""
    client = http.client.HTTPConnection(host, port, timeout=60)
    with contextlib.closing(client):
        client.request("GET", path)
        answer = client.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        return answer.read()


def settled_mb(process: int) -> float:
    """Return the memory once it no longer changes: compiled loops are loaded after the start."""
    before, now = -1.0, memory_mb(process)
    while abs(now - before) > 0.1:
        time.sleep(STILL_S)
        before, now = now, memory_mb(process)
    return now


def memory_mb(process: int) -> float:
    """Return the resident memory of a process, in MB."""
    status = Path(f"/proc/{process}/status").read_text("ascii")
    [kib] = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) * 1024 / 1e6


def limits() -> None:
    """Measure what invented methods and stalled uploads cost a REST gateway (Linux); print JSON."""
    report = measure(methods=27_559, uploads=16, bytes_each=24_000_000)
    typer.echo(json.dumps(report, indent=2))
