"""What `gif_analyzer` offers: **a GIF** -> identify -> **Prediction**, and the two steps of it."""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import os

from gateway.files import read_gif
from gateway.pipeline import Pipeline, local
from services.clip import Clip
from services.errors import AnalyzerError, GifError
from services.extras import NAME
from services.inference import Classifier, FrameVote, ModelInfo, Prediction, ShowProbability, Verdict
from services.preprocess import Budget, decode_gif
from services.preprocess.backend import MANY, Backend, fastest, portable

__all__ = [
    "AnalyzerError",
    "Budget",
    "Classifier",
    "Clip",
    "FrameVote",
    "GifError",
    "ModelInfo",
    "Prediction",
    "ShowProbability",
    "Verdict",
    "__version__",
    "decode_gif",
    "identify",
]

__version__ = importlib.metadata.version(NAME)


def identify(
    gif: bytes | str | os.PathLike[str], *, top_k: int = 5, model: str | os.PathLike[str] | None = None
) -> Prediction:
    """Name the show of a GIF. Threads may call it at the same time.

    Args:
        gif: its bytes, or the path of its file.
        top_k: how many shows to name, at least 1; more than the model knows gives all it knows.
        model: path of a model file, which is loaded at its first use; None is the packaged one.

    Returns:
        The verdict, the most probable shows with probabilities of 0..1, and a vote for each frame.

    Raises:
        GifError: the bytes are not a GIF that can be shown within the default budget.
        UnreadableFile: the file cannot be read.
        ModelError: the model file is none.
        InvalidArgument: top_k is less than 1.
    """
    if not isinstance(gif, bytes):
        # Joined to the folder that it is in anyway, so that no name means standard input.
        gif = read_gif(os.path.join(os.curdir, os.fspath(gif)), max_bytes=Budget().max_bytes)  # noqa: PTH118
    return _pipeline(None if model is None else os.fspath(model)).identify(gif, top_k)


@functools.lru_cache(maxsize=4)
def _pipeline(model: str | None) -> Pipeline:
    return local(model, backend=_backend)


_calls = itertools.count()


def _backend() -> Backend:
    """Compiled loops take seconds to load, and longer the first time: only a program of many GIFs gains."""
    return fastest() if next(_calls) >= MANY else portable()
