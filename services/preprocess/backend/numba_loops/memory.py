"""Eight bytes at once, wherever they begin: what LZW's strings and rows of RGB are copied with.

Numba reads and writes single elements of an array; these two read and write wider numbers in a byte array at
any offset, little-endian as all machines that Numba compiles for. Nothing checks bounds here either: who
calls leaves `SLACK` bytes free behind the last one that matters.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

SLACK = 8  # bytes that may be read or written behind an array's last meaningful one


@intrinsic  # Numba's own word for a function that is written in LLVM's instructions
def load64(_context: Any, array: Any, offset: Any) -> Any:
    """Read the uint64 at a byte offset of a uint8 array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments, ir.IntType(64))
        return builder.load(pointer, align=1)

    return types.uint64(array, types.int64), generate


def _store(number: types.Integer) -> Any:
    """Make what writes such a number at a byte offset of a uint8 array."""

    def store(_context: Any, array: Any, offset: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.IntType(number.bitwidth)
            builder.store(arguments[2], _pointer(context, builder, signature, arguments, kind), align=1)
            return context.get_dummy_value()

        return types.void(array, types.int64, number), generate

    return intrinsic(store)


store64 = _store(types.uint64)
store32 = _store(types.uint32)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any, kind: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), kind.as_pointer())
