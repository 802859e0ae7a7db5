"""LLVM instructions for the compiled loops: reading, copying and weighting many bytes at once.

Numba reads and writes single elements of an array. `load64` and `copy_chunk` access more bytes at any offset
of a byte array, little-endian. `weigh` computes four pixels at once: the compiler would compute one colour of
one pixel after another, because it cannot know that four neighbours are 16 adjacent bytes and that their
colours may be added last. Processors without vectors of this width use two or four instead.

Nothing here checks bounds, unless Numba is told to by NUMBA_BOUNDSCHECK, as fuzzing does. The callers leave
`SLACK` bytes behind the last meaningful byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic
from numpy.typing import NDArray

CHUNK = 32  # bytes copied at once
SLACK = CHUNK  # bytes behind an array's last meaningful one that may be read or written
NEIGHBOURS = 4  # from which a pixel is computed
CHANNELS = 4  # bytes of a pixel
AT_ONCE = 4  # pixels computed at once
BITS = 22  # fraction bits of a weight: Pillow's PRECISION_BITS
HALF_BITS = 11  # of half a weight: it fits into 16 bits, which one instruction multiplies and adds

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
def load64(_context: Any, array: Any, offset: Any) -> Any:
    """Read the uint64 at a byte offset of a uint8 array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = pointer(context, builder, signature.args[0], arguments, ir.IntType(64))
        return builder.load(where, align=1)

    return types.uint64(array, types.int64), generate


@intrinsic
def copy_chunk(_context: Any, target: Any, to: Any, source: Any, at: Any) -> Any:
    """Copy `CHUNK` bytes from an offset of a uint8 array to another offset, reading all before writing."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(ir.IntType(8), CHUNK)
        to_where = pointer(context, builder, signature.args[0], arguments[:2], kind)
        at_where = pointer(context, builder, signature.args[2], arguments[2:], kind)
        builder.store(builder.load(at_where, align=1), to_where, align=1)
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64), generate


@intrinsic
def weigh(
    _context: Any, out: Any, to: Any, pixels: Any, a: Any, b: Any, c: Any, d: Any, weights: Any, first: Any
) -> Any:
    """Compute four pixels and write them as 12 bytes of RGB to out[to:], followed by 4 undefined bytes.

    `a`, `b`, `c` and `d` are the offsets in `pixels`, uint8 with four bytes a pixel, of the four neighbours
    of each of the four. `weights` come from `arrange`; `first` is the index of the first pixel's first
    weight.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def point(argument: int, index: Any, kind: Any) -> Any:
            return pointer(context, builder, signature.args[argument], (arguments[argument], index), kind)

        def picked(one: Any, two: Any, lanes: list[int]) -> Any:
            return builder.shuffle_vector(one, two, _numbers(lanes))

        def summed(number: int) -> Any:
            """Two pixels: the sums of their first two neighbours, and of their last two."""
            one, two = (builder.load(point(2, arguments[3 + number + i], _BYTES), align=1) for i in range(2))
            values = builder.zext(picked(one, two, _PAIRED), _WIDE)

            def half(place: int) -> Any:
                index = builder.add(arguments[8], arguments[8].type(number * WEIGHTS + place))
                weighed = builder.mul(
                    values, builder.sext(builder.load(point(7, index, _WEIGHTS), align=2), _WIDE)
                )
                # In this form LLVM finds the instruction that multiplies and adds neighbours.
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
    """Arrange the weights of pixels for `weigh`.

    Args:
        weights: int32 [an even number of pixels, 4 neighbours] in units of 2^-22, not negative. The sum for a
            pixel is 1, or so little more that 255 stays 255.

    Returns:
        int16 [pixels * `WEIGHTS`].
    """
    halves = np.stack([weights >> HALF_BITS, weights & ((1 << HALF_BITS) - 1)], axis=1).astype(np.int16)
    # two pixels, half, pair, neighbour -> half, two pixels, pair, colour, neighbour
    paired = halves.reshape(-1, 2, 2, 2, 2).transpose(0, 2, 1, 3, 4)[..., np.newaxis, :]
    return np.repeat(paired, CHANNELS, axis=-2).ravel()


def pointer(context: Any, builder: Any, array: Any, place: Any, kind: Any) -> Any:
    """Return a pointer of a type to an element, given (array, index of the element)."""
    found = context.make_array(array)(context, builder, place[0])
    if config.BOUNDSCHECK:
        item = context.get_abi_sizeof(context.get_data_type(array.dtype))
        end = builder.add(place[1], ir.Constant(place[1].type, context.get_abi_sizeof(kind) // item))
        before = builder.icmp_signed("<", place[1], ir.Constant(place[1].type, 0))
        with builder.if_then(builder.or_(before, builder.icmp_signed(">", end, found.nitems)), likely=False):
            context.call_conv.return_user_exc(builder, IndexError, ("bytes beyond an array",))
    data = found.data
    return builder.bitcast(builder.gep(data, [place[1]]), kind.as_pointer())


def _numbers(values: list[int]) -> Any:
    return ir.Constant(ir.VectorType(_INT32, len(values)), values)
