"""GIF's LZW: **the sub-blocks of a frame** -> palette indices.

A string of the table is not kept as a chain of letters but as the place in the pixels where it was last
written, so that it is copied eight bytes at a time. What is a whole frame and what is a broken one is as in
Pillow's decoder (GifDecode.c), which Chromium agrees with.

The format: https://www.w3.org/Graphics/GIF/spec-gif89a.txt, appendix F.
"""

from __future__ import annotations

import numpy as np
from numba import int64, njit, types, uint8

from services.preprocess.backend.numba_loops.memory import SLACK, load64, store64

_MAX_WIDTH = 12  # bits of a code
_TABLE = 1 << _MAX_WIDTH
# An entry is a string's place in the pixels, then its length: none is longer than the table.
_LENGTH_BITS = 13
_LENGTH_MASK = (1 << _LENGTH_BITS) - 1

_Gif = types.Array(types.uint8, 1, "C", readonly=True)


@njit(int64(_Gif, int64, int64, uint8[::1]), nogil=True, cache=True)
def _join(gif, start, stop, data):
    """Write the sub-blocks in gif[start:stop] one behind the other; returns how many bytes they have."""
    size = np.int64(0)
    while start < stop:
        length = np.int64(gif[start])
        start += 1
        if start + length > stop:  # not whole: Pillow does not begin with it either
            break
        data[size : size + length] = gif[start : start + length]
        size += length
        start += length
    return size


@njit(int64(_Gif, int64, int64, int64, uint8[::1], int64), nogil=True, cache=True)
def decompress(gif, start, stop, code_size, pixels, count):
    """Decompress a frame's data, gif[start:stop], into `count` palette indices.

    Args:
        gif: uint8, the whole file, or a part of it.
        start: where the first sub-block's length stands.
        stop: behind the last sub-block.
        code_size: bits of an uncompressed pixel, 0..8.
        pixels: uint8 of count + `SLACK` bytes; those behind `count` are left in any state.
        count: of pixels that the frame has.

    Returns:
        How many pixels the data has, `count` at most; -1 where a code makes no sense.
    """
    data = np.empty(stop - start + SLACK, np.uint8)
    bits = 8 * _join(gif, start, stop, data)
    table = np.empty(_TABLE, np.int64)
    clear = np.int64(1) << code_size
    width = np.int64(code_size + 1)
    free = clear + 2  # the table's first entry without a string
    done = np.int64(0)
    last_place = np.int64(0)
    last_length = np.int64(0)  # of the string before; 0 behind a clear code
    bit = np.int64(0)
    while done < count and bit + width <= bits:
        word = load64(data, bit >> 3) >> np.uint64(bit & 7)
        code = np.int64(word & np.uint64((np.int64(1) << width) - 1))
        bit += width
        if code < clear:
            pixels[done] = code
            length = np.int64(1)
        elif code == clear:
            width = np.int64(code_size + 1)
            free = clear + 2
            last_length = np.int64(0)
            continue
        elif code == clear + 1:  # the end
            return done
        elif code < free:
            place = table[code] >> _LENGTH_BITS
            length = min(table[code] & _LENGTH_MASK, count - done)
            for offset in range(0, length, 8):
                store64(pixels, done + offset, load64(pixels, place + offset))
        elif code == free and last_length:  # the last string and its own first letter
            length = min(last_length + 1, count - done)
            for offset in range(0, min(length, last_length), 8):
                store64(pixels, done + offset, load64(pixels, last_place + offset))
            if length > last_length:
                pixels[done + last_length] = pixels[done]
        else:
            return -1
        if last_length and free < _TABLE:
            table[free] = last_place << _LENGTH_BITS | (last_length + 1)
            free += 1
            if free == np.int64(1) << width and width < _MAX_WIDTH:
                width += 1
        last_place = done
        last_length = length
        done += length
    return done
