"""Four pixels at once: **neighbours of four bytes each** -> weighted sums, as bytes of RGB.

Left to itself the compiler would make one colour of one pixel after another. LLVM's vectors say what it
cannot find out: four neighbours are sixteen bytes side by side, and where their colours are to be added need
not be settled before the end. Processors that have no vectors as wide take two, or four, in their place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from services.preprocess.backend.numba_loops.memory import pointer

NEIGHBOURS = 4  # that a pixel is made of
CHANNELS = 4  # bytes of each
AT_ONCE = 4  # pixels that are made
BITS = 22  # of a weight, behind the point: Pillow's PRECISION_BITS
HALF_BITS = 11  # two halves of a weight fit into 16 bits each, which vectors multiply and add in one go

_PIXEL = NEIGHBOURS * CHANNELS  # bytes
_SUMS, _PRODUCTS = 16, 32  # of two pixels: two a colour, of two neighbours each
WEIGHTS = 2 * _PIXEL  # of a pixel: two halves for each byte
_INT32 = ir.IntType(32)
_BYTES = ir.VectorType(ir.IntType(8), _PIXEL)
_WEIGHTS = ir.VectorType(ir.IntType(16), _PRODUCTS)
_WIDE = ir.VectorType(_INT32, _PRODUCTS)

# Two neighbours of one colour side by side: bytes of two pixels' neighbours, 0..15 and 16..31.
_PAIRED = [
    _PIXEL * pixel + CHANNELS * (2 * pair + neighbour) + channel
    for pixel in range(2)
    for pair in range(2)
    for channel in range(CHANNELS)
    for neighbour in range(2)
]
# Sums of four pixels, 0..15 and 16..31: the first pair's, and the second's.
_FIRST_PAIR = [start + lane for start in range(0, 2 * _SUMS, 8) for lane in range(CHANNELS)]
_LAST_PAIR = [lane + CHANNELS for lane in _FIRST_PAIR]
_RGB_FIRST = sorted(range(_SUMS), key=lambda lane: lane % CHANNELS == CHANNELS - 1)


@intrinsic
def weigh(
    _context: Any, out: Any, to: Any, pixels: Any, a: Any, b: Any, c: Any, d: Any, weights: Any, first: Any
) -> Any:
    """Make four pixels and write them as twelve bytes of RGB, and four bytes more.

    Args:
        out: uint8, in which the first pixel goes to the byte `to`.
        to: see there.
        pixels: uint8, four bytes a pixel.
        a: the byte of `pixels` where the first pixel's four neighbours begin.
        b: where the second's do.
        c: the third's.
        d: the fourth's.
        weights: int16, what `arrange` made of them.
        first: the first pixel's first weight, the others' following.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def point(argument: int, index: Any, kind: Any) -> Any:
            return pointer(context, builder, signature.args[argument], (arguments[argument], index), kind)

        def picked(one: Any, two: Any, lanes: list[int]) -> Any:
            return builder.shuffle_vector(one, two, _numbers(lanes))

        def summed(number: int) -> Any:
            """Two pixels, of whose neighbours the first two are summed, and the last two."""
            one, two = (builder.load(point(2, arguments[3 + number + i], _BYTES), align=1) for i in range(2))
            values = builder.zext(picked(one, two, _PAIRED), _WIDE)

            def half(place: int) -> Any:
                index = builder.add(arguments[8], arguments[8].type(number * WEIGHTS + place))
                weighed = builder.mul(
                    values, builder.sext(builder.load(point(7, index, _WEIGHTS), align=2), _WIDE)
                )
                # Written so that LLVM sees the one instruction that multiplies and adds neighbours.
                even, odd = (picked(weighed, weighed, [*range(start, _PRODUCTS, 2)]) for start in (0, 1))
                return builder.add(even, odd)

            return builder.add(builder.shl(half(0), _numbers([HALF_BITS] * _SUMS)), half(_PRODUCTS))

        left, right = summed(0), summed(2)
        total = builder.add(picked(left, right, _FIRST_PAIR), picked(left, right, _LAST_PAIR))
        rounded = builder.add(total, _numbers([1 << (BITS - 1)] * _SUMS))
        made = builder.trunc(builder.lshr(rounded, _numbers([BITS] * _SUMS)), _BYTES)
        builder.store(picked(made, made, _RGB_FIRST), point(0, arguments[1], _BYTES), align=1)
        return context.get_dummy_value()

    index = types.int64
    return types.void(out, index, pixels, index, index, index, index, weights, index), generate


def arrange(weights: NDArray[np.int32]) -> NDArray[np.int16]:
    """Arrange the weights of pixels as `weigh` takes them.

    Args:
        weights: int32 [an even number of pixels, 4 neighbours] in units of 2^-22, none negative. Those of a
            pixel add up to 1, or so little more that 255 stays 255.

    Returns:
        int16 [pixels * `WEIGHTS`].
    """
    halves = np.stack([weights >> HALF_BITS, weights & ((1 << HALF_BITS) - 1)], axis=1).astype(np.int16)
    # two pixels, half, pair, neighbour -> half, two pixels, pair, colour, neighbour
    paired = halves.reshape(-1, 2, 2, 2, 2).transpose(0, 2, 1, 3, 4)[..., np.newaxis, :]
    return np.repeat(paired, CHANNELS, axis=-2).ravel()


def _numbers(values: list[int]) -> Any:
    return ir.Constant(ir.VectorType(_INT32, len(values)), values)
