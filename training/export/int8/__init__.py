"""Quantisation of a model to int8: nearly the same answers from convolutions in 8-bit integers.

`quantize` is the entry point. `rounding` measures the inputs of the convolutions and rounds their weights,
and `graph` feeds the first convolution the pixels themselves. `fit_head` and `put_head` then adapt the head.
"""

from training.export.int8.quantizer import NEIGHBOURS, RANGED, fit_head, put_head, quantize

__all__ = ["CALIBRATED", "INT8_VERSION", "NEIGHBOURS", "RANGED", "fit_head", "put_head", "quantize"]

CALIBRATED = 384  # clips that the head is fitted on; ranges are measured on some of them

# The version of the quantisation, which cached answers of quantised models are keyed by. Raise it when
# `quantize` gives other weights than before; a golden test fails if it was not raised.
INT8_VERSION = 2
