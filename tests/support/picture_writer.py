"""Writers of PNG, APNG and animated WebP for tests, in which every field of the container can be chosen.

They write what no ordinary encoder does: frames outside the canvas, wrong sequence numbers, unusual chunks.
The pixels of WebP are compressed by Pillow.
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

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types of PNG
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
# Adam7: first column, first row, and the distances of columns and rows in each of the seven passes.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass(frozen=True)
class Part:
    """One frame of an APNG or a WebP."""

    pixels: NDArray[np.integer]  # of the file's colour type, [height, width, channels]; RGBA for WebP
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


def compress_png(pixels: NDArray[np.integer], *, depth: int = 8, interlaced: bool = False) -> bytes:
    """The zlib data of pixels [height, width, channels], without filters."""
    parts = [pixels[y::dy, x::dx] for x, y, dx, dy in PASSES] if interlaced else [pixels]
    rows = b"".join(b"\0" + _row(row, depth) for part in parts if part.size for row in part)
    return zlib.compress(rows, 1)


def _row(row: NDArray[np.integer], depth: int) -> bytes:
    if depth == 16:
        return row.astype(">u2").tobytes()
    if depth == 8:
        return row.astype(np.uint8).tobytes()
    bits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, -depth:]
    return np.packbits(bits.ravel()).tobytes()


def png_header(width: int, height: int, colour: int, *, depth: int = 8, interlaced: bool = False) -> bytes:
    """Signature and IHDR."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)


def write_png(
    pixels: NDArray[np.integer],
    colour: int = RGBA,
    *,
    depth: int = 8,
    interlaced: bool = False,
    before: bytes = b"",
) -> bytes:
    """Write a still PNG; `before` are chunks before its pixels."""
    height, width = pixels.shape[:2]
    data = compress_png(pixels, depth=depth, interlaced=interlaced)
    header = png_header(width, height, colour, depth=depth, interlaced=interlaced)
    return header + before + chunk(b"IDAT", data) + chunk(b"IEND")


def write_apng(
    width: int,
    height: int,
    parts: Sequence[Part],
    colour: int = RGBA,
    *,
    depth: int = 8,
    interlaced: bool = False,
    before: bytes = b"",
    default: NDArray[np.integer] | None = None,
    count: int | None = None,
    data_chunks: int = 1,
) -> bytes:
    """Write an APNG.

    Args:
        width: of the canvas.
        height: of the canvas.
        parts: its frames; the first is also the default image, unless `default` is given.
        colour: colour type of all frames.
        depth: bits of a sample.
        interlaced: whether the frames are interlaced.
        before: chunks before the first frame, such as PLTE and tRNS.
        default: a picture of the whole canvas that is not part of the animation.
        count: number of frames in acTL; None is the correct one.
        data_chunks: number of chunks of the data of a frame.
    """
    png = png_header(width, height, colour, depth=depth, interlaced=interlaced)
    png += chunk(b"acTL", struct.pack(">II", len(parts) if count is None else count, 0)) + before
    if default is not None:
        png += chunk(b"IDAT", compress_png(default, depth=depth, interlaced=interlaced))
    sequence = 0
    for index, part in enumerate(parts):
        png += frame_control(sequence, part)
        sequence += 1
        data = part.data
        if data is None:
            data = compress_png(part.pixels, depth=depth, interlaced=interlaced)
        size = max(-(-len(data) // data_chunks), 1)
        for start in range(0, max(len(data), 1), size):
            piece = data[start : start + size]
            if index == 0 and default is None:
                png += chunk(b"IDAT", piece)
            else:
                png += chunk(b"fdAT", struct.pack(">I", sequence) + piece)
                sequence += 1
    return png + chunk(b"IEND")


def frame_control(sequence: int, part: Part) -> bytes:
    """The fcTL of a frame."""
    height, width = part.pixels.shape[:2]
    place = struct.pack(">IIIII", sequence, width, height, part.left, part.top)
    return chunk(b"fcTL", place + struct.pack(">HHBB", part.delay_ms, 1000, part.dispose, part.over))


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


def write_webp(
    width: int,
    height: int,
    parts: Sequence[Part],
    *,
    background: bytes = bytes(4),
    flags: int = 0x12,
    after: bytes = b"",
    **options: object,
) -> bytes:
    """Write an animated WebP; `flags` are those of VP8X, `after` are chunks after the frames."""
    chunks = riff(b"VP8X", bytes((flags, 0, 0, 0)) + _three(width - 1) + _three(height - 1))
    chunks += riff(b"ANIM", background + b"\0\0")
    for part in parts:
        chunks += riff(b"ANMF", write_anmf(part, **options))
    return webp_file(chunks + after)


def write_anmf(part: Part, **options: object) -> bytes:
    """The contents of a frame's chunk; its left and top must be even."""
    height, width = part.pixels.shape[:2]
    data = compress_webp(part.pixels, **options) if part.data is None else part.data
    place = _three(part.left // 2) + _three(part.top // 2) + _three(width - 1) + _three(height - 1)
    return place + _three(part.delay_ms) + bytes(((not part.over) << 1 | part.dispose,)) + data


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")
