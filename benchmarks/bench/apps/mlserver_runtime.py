"""An MLServer runtime: a BYTES tensor with a GIF in base64 -> a BYTES tensor with its show."""

from __future__ import annotations

import base64
import os
from typing import Any

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from gateway.pipeline import local


class GifRuntime(MLModel):  # type: ignore[misc]
    """Name the show of a GIF."""

    async def load(self) -> bool:
        """Load the model."""
        self._pipeline = local(os.environ["BENCHMARK_MODEL"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the most probable show of the GIF in the first input, in base64."""
        content: Any = payload.inputs[0].data
        gif = base64.b64decode(getattr(content, "root", content)[0])
        show = self._pipeline.identify(gif, 1).shows[0].show
        output = StringCodec.encode_output("show", [show])
        return InferenceResponse(model_name=self.name, outputs=[output])
