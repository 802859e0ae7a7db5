"""GIF's LZW: decompresses the sub-blocks of a frame to palette indices.

The table does not store a string as a chain of letters, but as the offset in the output where it was last
written. So a string is copied 32 bytes at a time, and most strings are shorter. The loop has few branches
that are hard to
predict: single pixels are strings before the picture, and the string that a code is about to complete is in
the table before the code is read. Frames are complete or broken as in Chromium's decoder (Wuffs); Pillow's
decoder agrees except for code sizes 0 and 1.

The format: https://www.w3.org/Graphics/GIF/spec-gif89a.txt, appendix F.
"""

from __future__ import annotations

import numpy as np
from numba import int64, njit, types, uint8, uint64

from services.preprocess.backend.numba_loops.vectors import CHUNK, SLACK, copy_chunk, load64

LETTERS = 256  # single pixels of each value, before the picture

_MAX_WIDTH = 12  # bits of a code
_TABLE = 1 << _MAX_WIDTH
# An entry has the offset of a string in the pixels, and its length, at most that of the table. 0 is no entry.
_LENGTH_BITS = np.uint64(13)
_LENGTH_MASK = (np.uint64(1) << _LENGTH_BITS) - np.uint64(1)
_NEVER = np.uint64(2 * _TABLE)  # more strings than the table can have: codes grow no wider
_ONE = np.uint64(1)  # Numba treats 1 as signed, and signed with unsigned as float
_CHUNK = np.uint64(CHUNK)

_Gif = types.Array(types.uint8, 1, "C", readonly=True)


@njit(int64(_Gif, int64, int64, uint8[::1]), nogil=True, cache=True)
def _join(gif, start, stop, data):
    """Concatenate the sub-blocks in gif[start:stop] into `data`, and return their length."""
    size = np.int64(0)
    while start < stop:
        length = np.int64(gif[start])
        start += 1
        if start + length > stop:  # incomplete; Pillow ignores it too
            break
        if start + length + SLACK <= len(gif):
            for offset in range(0, length, CHUNK):
                copy_chunk(data, size + offset, gif, start + offset)
        else:
            data[size : size + length] = gif[start : start + length]
        size += length
        start += length
    return size


@njit(uint64(uint64, uint64), nogil=True, inline="always")
def _growth(width, clear):
    """Return how many strings need wider codes; the first counts, although no code refers to it."""
    return max(_ONE << width, clear + np.uint64(2)) if width < _MAX_WIDTH else _NEVER


@njit(int64(_Gif, int64, int64, int64, uint8[::1], int64), nogil=True, cache=True)
def decompress(gif, start, stop, code_size, pixels, count):
    """Decompress a frame's data, gif[start:stop], into `count` palette indices.

    Args:
        gif: uint8, the whole file, or a part of it.
        start: offset of the length of the first sub-block.
        stop: offset behind the last sub-block.
        code_size: bits of an uncompressed pixel, 0..8.
        pixels: uint8, `LETTERS` + count + `SLACK` bytes with the picture in the middle; the bytes before and
            behind it are undefined afterwards.
        count: number of pixels of the frame.

    Returns:
        The number of pixels in the data, at most `count`; -1 if a code is invalid.
    """
    data = np.empty(stop - start + SLACK, np.uint8)
    bits = np.uint64(8 * _join(gif, start, stop, data))
    # Codes refer to the first 4,096 entries; the one behind them takes what is written when these are full.
    table = np.zeros(_TABLE + 1, np.uint64)
    clear = _ONE << np.uint64(code_size)
    for letter in range(clear):
        pixels[letter] = letter
        table[letter] = np.uint64(letter) << _LENGTH_BITS | _ONE
    first_width = np.uint64(code_size + 1)
    width, limit = first_width, _growth(first_width, clear)
    free = clear + _ONE  # the entry of the last string plus the next letter
    stop_at = np.uint64(LETTERS + count)
    done, last = np.uint64(LETTERS), np.uint64(0)
    bit = np.uint64(0)
    while done < stop_at and bit + width <= bits:
        word = load64(data, np.int64(bit >> np.uint64(3))) >> (bit & np.uint64(7))
        code = word & ((_ONE << width) - _ONE)
        bit += width
        entry = table[code]
        if entry == 0:
            if code == clear:
                table[clear + _ONE : free + _ONE] = 0
                free = clear + _ONE
                width, limit = first_width, _growth(first_width, clear)
                continue
            if code == clear + _ONE:  # the end
                return np.int64(done) - LETTERS
            return -1
        place, length = entry >> _LENGTH_BITS, entry & _LENGTH_MASK
        # If the code refers to the string that it completes itself, the last letter equals the first.
        pixels[done] = pixels[last]
        copy_chunk(pixels, np.int64(done), pixels, np.int64(place))
        if length > _CHUNK:
            length = min(length, stop_at - done)
            for offset in range(_CHUNK, length, _CHUNK):
                copy_chunk(pixels, np.int64(done + offset), pixels, np.int64(place + offset))
        free = min(free + _ONE, np.uint64(_TABLE))
        table[free] = done << _LENGTH_BITS | (length + _ONE)
        if free == limit:
            width += _ONE
            limit = _growth(width, clear)
        last = done
        done += length
    return np.int64(min(done, stop_at)) - LETTERS
