"""A model in whole numbers: **float32 ONNX, real clips** -> **the same answers from int8 convolutions**.

`quantize` is the whole of it. `moments` measures what convolutions are fed, `rounding` chooses their weights
by that, `stem` gives the first of them the pixels as they are.
"""

import hashlib
import importlib.metadata
from pathlib import Path

from training.int8.quantizer import CALIBRATED, NEIGHBOURS, quantize

__all__ = ["CALIBRATED", "NEIGHBOURS", "quantisation_version", "quantize"]


def quantisation_version() -> str:
    """SHA-256 of the code that makes a model whole, and of the library that does the rest."""
    digest = hashlib.sha256(importlib.metadata.version("onnxruntime").encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
