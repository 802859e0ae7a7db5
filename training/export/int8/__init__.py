"""A model in whole numbers: **float32 ONNX, real clips** -> **the same answers from int8 convolutions**.

`quantize` is the entry point. `moments` measures the inputs of the convolutions, `rounding` chooses their
weights by these measurements, and `stem` feeds the first convolution the pixels as they are. `fit_head` and
`put_head` then adapt the head to what the int8 network says.
"""

from training.export.int8.head import fit_head, put_head
from training.export.int8.quantizer import NEIGHBOURS, RANGED, quantize

__all__ = ["CALIBRATED", "INT8_VERSION", "NEIGHBOURS", "RANGED", "fit_head", "put_head", "quantize"]

CALIBRATED = (
    384  # clips that the head is fitted on again; a part of them are those that ranges are measured on
)

# The version of the quantisation. Raise it when `quantize` gives other weights than before: answers of
# quantised models that are cached are keyed by it. A golden test fails when they change without it.
INT8_VERSION = 2
