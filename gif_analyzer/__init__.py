"""Tell which TV show an animated GIF came from: the public interface for Python.

    from gif_analyzer import identify

    prediction = identify("some.gif")
    print(prediction.verdict.text, prediction.shows[0].probability)

`identify` does everything. Its two steps are also available: `decode_gif` returns a `Clip` of ten frames,
which `Classifier` takes. Every error is an `AnalyzerError` with a `reason` for programs. Only the names in
`gif_analyzer.api.__all__` are public.
"""

from __future__ import annotations

import importlib
from pkgutil import extend_path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gif_analyzer.api import *  # noqa: F403 - lists the names once, in api.__all__

# In a checkout, the generated code `gif_analyzer.v1` is in another folder.
__path__ = extend_path(__path__, __name__)  # noqa: F405


def __getattr__(name: str) -> object:
    """Import the interface when one of its names is used: the services only need `gif_analyzer.v1`."""
    if name != "v1" and (not name.startswith("_") or name in ("__all__", "__version__")):
        api = importlib.import_module("gif_analyzer.api")
        if name == "__all__" or name in api.__all__:
            return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(importlib.import_module("gif_analyzer.api").__all__)
