"""Tell which TV show an animated GIF came from: the public interface for Python.

    from gif_analyzer import identify

    prediction = identify("some.gif")
    print(prediction.verdict.text, prediction.shows[0].probability)

`identify` does all of it. `decode_gif` and `Classifier` are its two steps, for those who keep one of them:
a `Clip` of ten frames comes out of the one and goes into the other. Every error is an `AnalyzerError` with a
`reason` for programs. What is not named here may change without notice.
"""

from __future__ import annotations

import importlib
from pkgutil import extend_path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gif_analyzer.api import (
        AnalyzerError,
        Budget,
        Classifier,
        Clip,
        FrameVote,
        GifError,
        ModelInfo,
        Prediction,
        ShowProbability,
        Verdict,
        __version__,
        decode_gif,
        identify,
    )

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

# `gif_analyzer.v1`, the code that is generated from proto/, lies in another folder of a checkout.
__path__ = extend_path(__path__, __name__)


def __getattr__(name: str) -> object:
    """Import a name when it is asked for: the services import `gif_analyzer.v1` and need none of these."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("gif_analyzer.api"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
