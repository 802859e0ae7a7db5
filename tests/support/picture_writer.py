"""Writers of PNG, APNG and animated WebP for tests, which write what no ordinary encoder does.

Frames may lie outside the canvas, data may be broken, chunks unusual. Pillow compresses the pixels of WebP.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGBA = 6  # a colour type of PNG


@dataclass(frozen=True)
class Part:
    """One frame of an APNG or a WebP."""

    pixels: NDArray[np.integer]  # RGBA [height, width, 4]
    left: int = 0  # where it is drawn
    top: int = 0  # where it is drawn
    delay_ms: int = 50  # as the container writes it
    dispose: int = 0  # 0 keeps, 1 clears, 2 (only APNG) restores
    over: bool = False  # whether it is blended with the canvas instead of replacing it
    # compressed pixels to write instead of these: zlib data, or the chunks of a WebP frame
    data: bytes | None = None


# PNG


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def compress_png(pixels: NDArray[np.integer]) -> bytes:
    """The zlib data of pixels [height, width, channels], without filters."""
    return zlib.compress(b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in pixels), 1)


def png_header(width: int, height: int, *, depth: int = 8, interlaced: bool = False) -> bytes:
    """Signature and IHDR."""
    header = struct.pack(">IIBBBBB", width, height, depth, RGBA, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)


def write_png(pixels: NDArray[np.integer], *, before: bytes = b"") -> bytes:
    """Write a still PNG; `before` are chunks before its pixels."""
    height, width = pixels.shape[:2]
    return png_header(width, height) + before + chunk(b"IDAT", compress_png(pixels)) + chunk(b"IEND")


def write_apng(
    width: int, height: int, parts: Sequence[Part], *, default: NDArray[np.integer] | None = None
) -> bytes:
    """Write an APNG; `default` is a picture of the whole canvas that is not part of the animation.

    Without it the first frame is also the default image.
    """
    png = png_header(width, height) + chunk(b"acTL", struct.pack(">II", len(parts), 0))
    if default is not None:
        png += chunk(b"IDAT", compress_png(default))
    sequence = 0
    for index, part in enumerate(parts):
        png += frame_control(sequence, part)
        sequence += 1
        data = compress_png(part.pixels) if part.data is None else part.data
        if index == 0 and default is None:
            png += chunk(b"IDAT", data)
        else:
            png += chunk(b"fdAT", struct.pack(">I", sequence) + data)
            sequence += 1
    return png + chunk(b"IEND")


def frame_control(sequence: int, part: Part) -> bytes:
    """The fcTL of a frame."""
    height, width = part.pixels.shape[:2]
    place = struct.pack(">IIIII", sequence, width, height, part.left, part.top)
    return chunk(b"fcTL", place + struct.pack(">HHBB", part.delay_ms, 1000, part.dispose, part.over))


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the right checksums again; other files as they are."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    repaired, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        repaired[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(repaired)


# WebP


def riff(kind: bytes, data: bytes) -> bytes:
    """One chunk of a WebP."""
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)


def webp_file(chunks: bytes) -> bytes:
    """Chunks as a file."""
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def compress_webp(pixels: NDArray[np.integer], **options: object) -> bytes:
    """The chunks of one picture, RGB or RGBA; options are Pillow's. Lossless by default."""
    file = io.BytesIO()
    options = {"lossless": True, "exact": True, **options}
    Image.fromarray(pixels.astype(np.uint8)).save(file, "WEBP", **options)  # type: ignore[arg-type]
    data = file.getvalue()[12:]
    return data[18:] if data.startswith(b"VP8X") else data


def write_webp(width: int, height: int, parts: Sequence[Part], **options: object) -> bytes:
    """Write an animated WebP; the options of its frames are Pillow's."""
    chunks = riff(b"VP8X", bytes((0x12, 0, 0, 0)) + _three(width - 1) + _three(height - 1))
    chunks += riff(b"ANIM", bytes(6))
    return webp_file(chunks + b"".join(riff(b"ANMF", _anmf(part, **options)) for part in parts))


def _anmf(part: Part, **options: object) -> bytes:
    """The contents of a frame's chunk; its left and top must be even."""
    height, width = part.pixels.shape[:2]
    data = compress_webp(part.pixels, **options) if part.data is None else part.data
    place = _three(part.left // 2) + _three(part.top // 2) + _three(width - 1) + _three(height - 1)
    return place + _three(part.delay_ms) + bytes(((not part.over) << 1 | part.dispose,)) + data


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")
