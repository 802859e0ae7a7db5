from __future__ import annotations

import threading

import numpy as np

from benchmarks.peers.load import send_all, with_comment
from services.preprocess import decode_gif
from tests.support.paths import ROOT

EXAMPLE = ROOT / "examples/meadow.gif"


class Diary:
    """A service that keeps what it was asked, and waits until so many ask at once."""

    def __init__(self, clients: int) -> None:
        self.asked: list[bytes] = []
        self._together = threading.Barrier(clients, timeout=30)

    def ask(self, gif: bytes) -> str:
        self.asked.append(gif)
        self._together.wait()
        return gif[6:7].decode()

    def close(self) -> None:
        pass


def test_a_comment_changes_the_bytes_and_not_the_clip() -> None:
    gif = EXAMPLE.read_bytes()

    other = with_comment(gif, "request 1")

    assert other != gif
    assert np.array_equal(decode_gif(other).frames, decode_gif(gif).frames)


def test_so_many_ask_at_once_and_no_two_ask_the_same() -> None:
    service = Diary(clients=4)

    shows = send_all(service, [b"GIF89aX;", b"GIF89aY;"], 8, 4)

    assert shows == ["X", "Y"] * 4
    assert len(set(service.asked)) == 8
