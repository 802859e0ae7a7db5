"""A server's backend: portable loops at once, compiled ones when they are there."""

from __future__ import annotations

import logging
import threading

import pytest

from services.preprocess import decode_gif
from services.preprocess.backend import Backend, FastestSoFar, fastest, portable
from tests.support.paths import ROOT

GIF = (ROOT / "examples" / "meadow.gif").read_bytes()


def wait_for_the_thread() -> None:
    for thread in threading.enumerate():
        if thread.name == "compile":
            thread.join(60)


def test_the_portable_loops_serve_until_the_compiled_ones_are_there() -> None:
    there = threading.Event()

    def compile_slowly() -> Backend:
        there.wait(60)
        return fastest()

    backend = FastestSoFar(compile_slowly)
    first = backend()
    before = decode_gif(GIF, backend=first)
    there.set()
    wait_for_the_thread()

    assert first is portable()
    assert backend() is fastest()
    assert decode_gif(GIF, backend=backend()).frames.tobytes() == before.frames.tobytes()


def test_the_portable_backend_stays_if_compilation_fails(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Backend:
        raise ImportError("Numba and NumPy do not fit")

    with caplog.at_level(logging.ERROR):
        backend = FastestSoFar(fail)
        wait_for_the_thread()

    assert backend() is portable()
    assert "the compiled loops cannot be loaded" in caplog.text
