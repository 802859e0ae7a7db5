"""A GIF writer for tests, and a reference renderer.

It writes what no ordinary encoder does: frames outside the canvas, broken data, every disposal. `show`
computes from the same description, without any code of the product, what a browser shows.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

KEEP, CLEAR, RESTORE = 1, 2, 3
COLOURS = bytes((0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 90, 80, 70, 1, 2, 3, 200, 100, 50))
PASSES = ((0, 8), (4, 8), (2, 4), (1, 2))  # first row and step of the four passes of an interlaced image


@dataclass(frozen=True)
class Picture:
    """One frame: palette indices [height, width], and the fields of its blocks."""

    pixels: NDArray[np.uint8]
    left: int = 0
    top: int = 0
    delay_cs: int = 5
    disposal: int = 0
    transparent: int | None = None
    palette: bytes | None = None
    interlaced: bool = False
    data: bytes | None = None  # sub-blocks to write instead of the pixels


def plain(width: int, height: int, index: int) -> NDArray[np.uint8]:
    """A picture of one colour."""
    return np.full((height, width), index, np.uint8)


def write_gif(
    width: int, height: int, pictures: Sequence[Picture], *, palette: bytes = COLOURS, code_size: int = 3
) -> bytes:
    """Write a GIF; palettes have 2 ** code_size colours."""
    gif = bytearray(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80 | code_size - 1, 0, 0) + palette)
    for picture in pictures:
        gif += write_picture(picture, code_size)
    return bytes(gif + b";")


def write_picture(picture: Picture, code_size: int = 3) -> bytes:
    """Write one frame: its graphic control extension and its image."""
    flags = picture.disposal << 2 | (picture.transparent is not None)
    control = struct.pack("<BHB", flags, picture.delay_cs, picture.transparent or 0)
    height, width = picture.pixels.shape
    flags = (picture.interlaced << 6) | (0x80 | code_size - 1 if picture.palette else 0)
    place = struct.pack("<HHHHB", picture.left, picture.top, width, height, flags)
    data = picture.data if picture.data is not None else compress(picture, code_size)
    return (
        b"!\xf9\x04" + control + b"\0," + place + (picture.palette or b"") + bytes([code_size]) + data
    )  # fmt: skip


def compress(picture: Picture, code_size: int = 3) -> bytes:
    """LZW without compression: clear codes keep every code at code_size + 1 bits."""
    rows = picture.pixels
    if picture.interlaced:
        rows = np.concatenate([rows[first::step] for first, step in PASSES])
    clear = 1 << code_size
    codes: list[int] = []
    for position, pixel in enumerate(rows.ravel().tolist()):
        if position % (clear - 2) == 0:
            codes.append(clear)
        codes.append(pixel)
    return sub_blocks(pack([*codes, clear + 1], code_size + 1))


def pack(codes: Sequence[int], bits: int) -> bytes:
    """Concatenate codes of equal width, the least significant bit first."""
    number = sum(code << bits * position for position, code in enumerate(codes))
    return number.to_bytes(-(-len(codes) * bits // 8), "little")


def sub_blocks(data: bytes, length: int = 255) -> bytes:
    """Cut data into sub-blocks, with a terminator."""
    parts = [data[start : start + length] for start in range(0, len(data), length)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


@dataclass
class Screen:
    """A canvas as a dictionary of the pixels that were drawn, for `show`."""

    width: int
    height: int
    drawn: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)

    def canvas(self) -> NDArray[np.uint8]:
        canvas = np.zeros((self.height, self.width, 4), np.uint8)
        for (x, y), colour in self.drawn.items():
            canvas[y, x] = (*colour, 255)
        return canvas


def show(
    width: int, height: int, pictures: Sequence[Picture], *, palette: bytes = COLOURS
) -> list[NDArray[np.uint8]]:
    """What a browser shows for each frame: uint8 [height, width, 4] RGBA."""
    first = pictures[0]
    screen = Screen(
        max(width, first.left + first.pixels.shape[1]), max(height, first.top + first.pixels.shape[0])
    )
    canvases = []
    for picture in pictures:
        before = dict(screen.drawn)
        colours = picture.palette or palette
        places = [
            (x, y, picture.pixels[y - picture.top, x - picture.left])
            for y in range(picture.top, min(picture.top + picture.pixels.shape[0], screen.height))
            for x in range(picture.left, min(picture.left + picture.pixels.shape[1], screen.width))
        ]
        for x, y, index in places:
            if index != picture.transparent:
                red, green, blue = colours[3 * index : 3 * index + 3]
                screen.drawn[x, y] = red, green, blue
        canvases.append(screen.canvas())
        if picture.disposal in (3, 4):
            screen.drawn = before
        elif picture.disposal == 2:
            for x, y, _ in places:
                screen.drawn.pop((x, y), None)
    return canvases
