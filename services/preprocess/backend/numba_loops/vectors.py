"""Four pixels at once: **neighbours of four bytes each** -> weighted sums, as bytes of RGB.

Left to itself the compiler would make one colour of one pixel after another. LLVM's vectors say what it
cannot find out: four neighbours are sixteen bytes side by side, and where their colours are to be added need
not be settled before the end. Processors that have no vectors as wide take two, or four, in their place.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from services.preprocess.backend.numba_loops.memory import pointer

NEIGHBOURS = 4  # that a pixel is made of
CHANNELS = 4  # bytes of each
AT_ONCE = 4  # pixels that are made
BITS = 22  # of a weight, behind the point: Pillow's PRECISION_BITS

LANES = NEIGHBOURS * CHANNELS
_INT32 = ir.IntType(32)
_BYTES, _WORDS = ir.VectorType(ir.IntType(8), LANES), ir.VectorType(_INT32, LANES)
# Lanes of two vectors side by side, 0..15 and 16..31. First each has four neighbours of a pixel ...
_NEIGHBOURS_0_1 = [*range(8), *range(16, 24)]
_NEIGHBOURS_2_3 = [lane + 8 for lane in _NEIGHBOURS_0_1]
# ... and once these are added, two of two pixels.
_EVEN = [start + lane for start in range(0, 2 * LANES, 8) for lane in range(CHANNELS)]
_ODD = [lane + CHANNELS for lane in _EVEN]
_RGB_FIRST = sorted(range(LANES), key=lambda lane: lane % CHANNELS == CHANNELS - 1)


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
        weights: int32, in units of 2^-22, none negative: for each pixel sixteen, one for each byte. Those of
            a colour add up to 1, or so little more that 255 stays 255.
        first: the first pixel's first weight, the others' following.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def point(argument: int, index: Any, kind: Any) -> Any:
            return pointer(context, builder, signature.args[argument], (arguments[argument], index), kind)

        def weighed(number: int) -> Any:
            index = builder.add(arguments[8], arguments[8].type(number * LANES))
            values = builder.load(point(2, arguments[3 + number], _BYTES), align=1)
            return builder.mul(builder.zext(values, _WORDS), builder.load(point(7, index, _WORDS), align=4))

        def added(one: Any, two: Any, lanes: list[int], others: list[int]) -> Any:
            sides = (builder.shuffle_vector(one, two, _numbers(chosen)) for chosen in (lanes, others))
            return builder.add(*sides)

        left = added(weighed(0), weighed(1), _NEIGHBOURS_0_1, _NEIGHBOURS_2_3)
        right = added(weighed(2), weighed(3), _NEIGHBOURS_0_1, _NEIGHBOURS_2_3)
        total = builder.add(added(left, right, _EVEN, _ODD), _numbers([1 << (BITS - 1)] * LANES))
        made = builder.trunc(builder.lshr(total, _numbers([BITS] * LANES)), _BYTES)
        rgb = builder.shuffle_vector(made, made, _numbers(_RGB_FIRST))
        builder.store(rgb, point(0, arguments[1], _BYTES), align=1)
        return context.get_dummy_value()

    index = types.int64
    return types.void(out, index, pixels, index, index, index, index, weights, index), generate


def _numbers(values: list[int]) -> Any:
    return ir.Constant(ir.VectorType(_INT32, len(values)), values)
