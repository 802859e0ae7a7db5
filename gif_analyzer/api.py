"""The names that `gif_analyzer` exports: `identify`, its two steps, and the types of their results."""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import os
from pathlib import Path

from gateway.files import read_gif
from gateway.pipeline import Pipeline, local
from services.clip import Clip
from services.errors import AnalyzerError, GifError
from services.extras import NAME
from services.inference import (
    Classifier,
    FrameVote,
    Match,
    ModelInfo,
    Neighbour,
    Prediction,
    ShowProbability,
    TimeSpan,
    Verdict,
)
from services.preprocess import Budget, decode_gif
from services.preprocess.backend import MANY, Backend, fastest, portable

__all__ = [
    "AnalyzerError",
    "Budget",
    "Classifier",
    "Clip",
    "FrameVote",
    "GifError",
    "Match",
    "ModelInfo",
    "Neighbour",
    "Prediction",
    "ShowProbability",
    "TimeSpan",
    "Verdict",
    "__version__",
    "decode_gif",
    "identify",
]

__version__ = importlib.metadata.version(NAME)


def identify(
    gif: bytes | str | os.PathLike[str],
    *,
    top_k: int = 5,
    model: str | os.PathLike[str] | None = None,
    library: str | os.PathLike[str] | None = None,
) -> Prediction:
    """Name the show of a GIF. Several threads may call it at the same time.

    Args:
        gif: its bytes, or the path of its file.
        top_k: how many shows to name, at least 1; at most all that the model knows are named.
        model: path of a model file, which is loaded at its first use; None for the packaged model.
        library: path of a library of known clips, which is read again when it changes; None for none.

    Returns:
        The verdict, the most probable shows with probabilities 0..1, and a vote for each frame.

    Raises:
        GifError: the bytes cannot be decoded within the default budget.
        UnreadableFile: the file cannot be read.
        ModelError: the model file is missing or invalid.
        LibraryError: the library cannot be used with the model.
        InvalidArgument: top_k is less than 1.
    """
    if not isinstance(gif, bytes):
        # With the current folder in front, so that "-" is a file and not standard input.
        gif = read_gif(os.path.join(os.curdir, os.fspath(gif)), max_bytes=Budget().max_bytes)  # noqa: PTH118
    paths = (None if path is None else os.fspath(path) for path in (model, library))
    return _pipeline(*paths).identify(gif, top_k)


@functools.lru_cache(maxsize=4)
def _pipeline(model: str | None, library: str | None) -> Pipeline:
    return local(model, library=None if library is None else Path(library), backend=_backend)


_calls = itertools.count()


def _backend() -> Backend:
    """Return the portable backend for the first GIFs, because compiled loops take seconds to load."""
    return fastest() if next(_calls) >= MANY else portable()
