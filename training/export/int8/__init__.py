"""A model in whole numbers: **float32 ONNX, real clips** -> **the same answers from int8 convolutions**.

`quantize` is the entry point. `moments` measures the inputs of the convolutions, `rounding` chooses their
weights by these measurements, and `stem` feeds the first convolution the pixels as they are.
"""

from training.export.int8.quantizer import CALIBRATED, NEIGHBOURS, quantize

__all__ = ["CALIBRATED", "INT8_VERSION", "NEIGHBOURS", "quantize"]

# The version of the quantisation. Raise it when `quantize` gives other weights than before: answers of
# quantised models that are cached are keyed by it. A golden test fails when they change without it.
INT8_VERSION = 1
