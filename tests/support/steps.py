"""The two steps, local or remote, and a model that waits until a test lets it answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from services.clip import Clip
from services.inference import Classifier, Prediction
from services.inference.rpc import RemoteClassifier

Serve = Callable[..., AbstractContextManager[str]]


class HeldClassifier(Classifier):
    """A model that answers when `go` is set, and counts its calls."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.count = 0

    def classify(self, clip: Clip, top_k: int = 5, *, exact: bool = False) -> Prediction:
        self.count += 1
        self.begun.release()
        assert self.go.wait(60)
        return super().classify(clip, top_k, exact=exact)


@dataclass(frozen=True)
class Steps:
    """The two steps, local or remote."""

    decode_gif: Callable[..., Clip]
    classify: Callable[..., Prediction]
    classifier: Classifier | RemoteClassifier
