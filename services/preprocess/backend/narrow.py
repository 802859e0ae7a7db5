"""GIF's LZW with code sizes of 0 and 1: **the sub-blocks of a frame** -> palette indices.

Pillow reads these otherwise than Chromium, where codes grow by a bit as soon as the next string would not
fit: here after the first code. This is plain Python, so the scan limits the length of such data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.preprocess.container import BrokenDataError
from services.preprocess.formats.gif import GifFrame

_MAX_WIDTH = 12  # bits of a code
_TABLE = 1 << _MAX_WIDTH


def decompress_narrow(gif: bytes, frame: GifFrame) -> NDArray[np.uint8]:
    """Decompress a frame: palette indices in the order of its data, uint8 [height, width].

    Raises:
        BrokenDataError: the data is short or no LZW.
    """
    width, height = frame.rect.size
    pixels = bytearray()
    for string in _strings(_join(gif, frame.start, frame.stop), frame.code_size):
        pixels += string
        if len(pixels) >= width * height:
            return np.frombuffer(bytes(pixels[: width * height]), np.uint8).reshape(height, width)
    raise BrokenDataError


def _strings(data: bytes, code_size: int) -> Iterator[bytes]:
    """Yield the palette indices that each code stands for, up to the end code or the end of the data."""
    clear, first_width = 1 << code_size, code_size + 1
    letters = [bytes([letter]) for letter in range(clear)]
    table, width, last = [*letters, b"", b""], first_width, b""
    held, bits = 0, 0  # bits that were read and not yet used, and how many they are
    following = iter(data)
    while True:
        while bits < width:
            byte = next(following, None)
            if byte is None:
                return
            held |= byte << bits
            bits += 8
        code = held & ((1 << width) - 1)
        held >>= width
        bits -= width
        if code == clear:
            table, width, last = [*letters, b"", b""], first_width, b""
            continue
        if code == clear + 1:
            return
        if code < len(table):
            string = table[code]
        elif code == len(table) and last:  # the string that this very code completes
            string = last + last[:1]
        else:
            raise BrokenDataError
        if len(table) < _TABLE:
            if last:
                table.append(last + string[:1])
            # The first code counts too, though it completes no string.
            if width < _MAX_WIDTH:
                width += len(table) >> width & 1
            last = string
        yield string


def _join(gif: bytes, start: int, stop: int) -> bytes:
    """Put the sub-blocks in gif[start:stop] one behind the other, up to the first that is not whole."""
    parts = []
    while start < stop and start + 1 + gif[start] <= stop:
        parts.append(gif[start + 1 : start + 1 + gif[start]])
        start += 1 + gif[start]
    return b"".join(parts)
