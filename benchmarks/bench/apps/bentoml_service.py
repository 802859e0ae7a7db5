"""A BentoML service: `{"gif": base64}` -> `{"show": …}`; started by `bentoml serve`."""

from __future__ import annotations

import base64
import os

import bentoml

from gateway.pipeline import local


@bentoml.service(workers=1)
class GifShow:
    """Name the show of a GIF."""

    def __init__(self) -> None:
        self._pipeline = local(os.environ["BENCHMARK_MODEL"])

    @bentoml.api  # type: ignore[untyped-decorator]
    def identify(self, gif: str) -> dict[str, str]:
        """Return the most probable show of a GIF in base64."""
        return {"show": self._pipeline.identify(base64.b64decode(gif), 1).shows[0].show}
