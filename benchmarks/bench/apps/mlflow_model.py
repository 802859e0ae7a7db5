"""An MLflow model: `{"inputs": [base64]}` -> `{"predictions": [show]}`.

`python -m benchmarks.bench.apps.mlflow_model FOLDER` saves this module as a model.
"""

from __future__ import annotations

import base64
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
import numpy as np

from gateway.pipeline import local


class GifShow(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc,unused-ignore]
    """Name the show of each GIF."""

    def load_context(self, context: Any) -> None:
        """Load the model."""
        self._pipeline = local(os.environ["BENCHMARK_MODEL"])

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> list[str]:
        """Return the most probable show of each GIF; `model_input` has them in base64."""
        gifs = [base64.b64decode(text) for text in np.asarray(model_input).ravel()]
        return [self._pipeline.identify(gif, 1).shows[0].show for gif in gifs]


if __name__ == "__main__":
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    mlflow.pyfunc.save_model(sys.argv[1], python_model=str(Path(__file__)), pip_requirements=["mlflow"])
else:
    mlflow.models.set_model(GifShow())
