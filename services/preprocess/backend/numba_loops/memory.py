"""Many bytes at once, wherever they begin: what LZW's codes and strings are read and copied with.

Numba reads and writes single elements of an array; these read and write wider numbers in a byte array at any
offset, little-endian as all machines that Numba compiles for. Nothing checks bounds here either: who calls
leaves `SLACK` bytes free behind the last one that matters.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

CHUNK = 32  # bytes that are copied at once
SLACK = CHUNK  # bytes that may be read or written behind an array's last meaningful one


@intrinsic  # Numba's own word for a function that is written in LLVM's instructions
def load64(_context: Any, array: Any, offset: Any) -> Any:
    """Read the uint64 at a byte offset of a uint8 array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = pointer(context, builder, signature.args[0], arguments, ir.IntType(64))
        return builder.load(where, align=1)

    return types.uint64(array, types.int64), generate


@intrinsic
def copy_chunk(_context: Any, target: Any, to: Any, source: Any, at: Any) -> Any:
    """Copy `CHUNK` bytes from an offset of a uint8 array to one of another or the same, reading all first."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(ir.IntType(8), CHUNK)
        to_where = pointer(context, builder, signature.args[0], arguments[:2], kind)
        at_where = pointer(context, builder, signature.args[2], arguments[2:], kind)
        builder.store(builder.load(at_where, align=1), to_where, align=1)
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64), generate


def pointer(context: Any, builder: Any, array: Any, place: Any, kind: Any) -> Any:
    """Point at (array, index of an element) as if something of that kind stood there."""
    data = context.make_array(array)(context, builder, place[0]).data
    return builder.bitcast(builder.gep(data, [place[1]]), kind.as_pointer())
