"""Small files that could take seconds or gigabytes: each is decoded or refused cheaply."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.preprocess.backend import Backend
from tests.support.gif_writer import Picture, pack, plain, sub_blocks, write_gif, write_picture
from tests.support.measured import measure
from tests.support.paths import SHARED
from tests.support.picture_writer import (
    Part,
    chunk,
    compress_webp,
    png_header,
    riff,
    webp_file,
    write_apng,
    write_webp,
)

SECONDS = 1.0  # of the processor
MEGABYTES = 230  # beyond the interpreter with its imports
MEGABYTES_OF_PICTURES = 300  # Pillow's WebP decoder has two canvases of its own


def assert_cheap(path: Path, backend: Backend) -> str:
    answer, seconds, megabytes = measure(path, backend.name)
    assert seconds < SECONDS
    assert megabytes < MEGABYTES
    return answer


BOMBS = sorted((SHARED / "corpus" / "bombs").glob("*.gif"))


@pytest.mark.corpus
@pytest.mark.parametrize("path", BOMBS, ids=lambda path: path.name)
def test_a_bomb_of_the_corpus_is_cheap(path: Path, backend: Backend) -> None:
    assert assert_cheap(path, backend)


def tiny_frames(count: int) -> bytes:
    frame = write_picture(Picture(plain(1, 1, 1), transparent=0))
    return write_gif(10, 10, [])[:-1] + frame * count + b";"


def huge_canvas(side: int) -> bytes:
    gif = bytearray(write_gif(1, 1, [Picture(plain(1, 1, 1))] * 60))
    gif[6:10] = struct.pack("<HH", side, side)
    return bytes(gif)


def clear_codes(count: int) -> bytes:
    return write_gif(100, 100, [Picture(plain(100, 100, 1), data=sub_blocks(pack([8, 8], 4) * (count // 2)))])


def large_frames(side: int, count: int, **options: int) -> bytes:
    """Many large frames that compress very well."""
    file = io.BytesIO()
    Image.new("P", (side, side), 1).save(file, "GIF")
    gif = file.getvalue()
    image = gif[gif.rindex(b",\0\0\0\0") : -1]
    control = b"!\xf9\x04" + bytes([options.get("disposal", 0) << 2 | 1, 5, 0, 0, 0])
    return gif[: gif.rindex(b",\0\0\0\0")] + (control + image) * count + b";"


ONE = write_gif(4, 4, [Picture(plain(4, 4, 1))])


def narrow(count: int) -> bytes:
    """16 megapixels of code size 1, with two clear codes and one pixel in each byte."""
    header = write_gif(1, 1, [])[:-1] + b",\0\0\0\0\xa0\x0f\xa0\x0f\0\1"
    return header + sub_blocks(b"\x0a\x0a\x0a\x0a" * count) + b";"


GIF_BOMBS = {
    "16,000 squared": (
        huge_canvas(16_000),
        "canvas is limited to 16,000,000 pixels, this one has 256,000,000",
    ),
    "65,535 squared": (
        huge_canvas(65_535),
        "canvas is limited to 16,000,000 pixels, this one has 4,294,836,225",
    ),
    "100,000 frames": (tiny_frames(100_000), "animation is limited to 5,000 frames, this one has 100,000"),
    "5,000 frames": (tiny_frames(5_000), "5000 frames"),
    "clear codes": (clear_codes(4_000_000), "not one frame is whole"),
    "300 x 4 megapixels": (large_frames(2000, 300), "decoding is limited to 1,000,000,000 pixels"),
    "a million sub-blocks": (
        write_gif(9, 9, [Picture(plain(9, 9, 1), data=sub_blocks(bytes(1_000_000), 1))]),
        "1 frames",
    ),
    "24 MB of comments": (b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\0" * 8_000_000, "limited to 100,000 extensions"),
    "24 MB of control extensions": (
        ONE[:-1] + b"!\xf9\4\0\n\0\0\0" * 3_000_000,
        "limited to 100,000 extensions",
    ),
    "24 MB of sub-blocks": (ONE[:-1] + b"!\xfe" + b"\1a" * 12_000_000, "limited to 2,000,000 sub-blocks"),
    "24 MB of comments behind too many frames": (
        tiny_frames(5_001)[:-1] + b"!\xfe\0" * 8_000_000,
        "limited to 5,000 frames, this one has at least 5,001",
    ),
    "400 KB of code size 1": (narrow(100_000), "data of code size 0 or 1 is limited to 250,000 bytes"),
    "244 KB of code size 1": (narrow(61_000), "not one frame is whole"),
}


@pytest.mark.parametrize(("gif", "answer"), GIF_BOMBS.values(), ids=GIF_BOMBS)
def test_a_gif_bomb_is_cheap(gif: bytes, answer: str, tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "bomb.gif"
    path.write_bytes(gif)

    assert answer in assert_cheap(path, backend)


@pytest.mark.parametrize("disposal", [1, 2, 3])
def test_the_largest_canvas_fits_in_memory(disposal: int, tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "large.gif"
    path.write_bytes(large_frames(4000, 4, disposal=disposal))

    answer, _, megabytes = measure(path, backend.name)

    assert answer == "4 frames"
    assert megabytes < MEGABYTES


# Other formats


def flat_png(side: int, *, depth: int = 8, interlaced: bool = False) -> bytes:
    """A transparent picture, which compresses very well."""
    header = png_header(side, side, depth=depth, interlaced=interlaced)
    data = zlib.compress(bytes(side * (side * depth // 2 + 3)), 1)
    return header + chunk(b"IDAT", data) + chunk(b"IEND")


def flat_apng(side: int, count: int, *, over: bool) -> bytes:
    """Many transparent frames."""
    data = zlib.compress(bytes(side * (4 * side + 1)), 1)
    pixels = np.broadcast_to(np.uint8(0), (side, side, 4))
    return write_apng(side, side, [Part(pixels, data=data, over=over)] * count)


def flat_webp(side: int, count: int = 1, *, over: bool = True) -> bytes:
    """Many frames of one translucent colour."""
    one = compress_webp(np.full((side, side, 4), 100, np.uint8), quality=0, method=0)
    if count == 1:
        return webp_file(one)
    pixels = np.broadcast_to(np.uint8(0), (side, side, 4))
    return write_webp(side, side, [Part(pixels, data=one, over=over)] * count)


def flat_jpeg(side: int, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(str(options.pop("mode", "RGB")), (side, side), 7).save(file, "JPEG", **options)  # type: ignore[arg-type]
    return file.getvalue()


def many_scans(count: int) -> bytes:
    """A progressive picture that repeats its last scan."""
    jpeg = flat_jpeg(4000, progressive=True)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * count + b"\xff\xd9"


def claims(side: int, kind: str) -> bytes:
    """A small file with a large size in its header."""
    if kind == "png":
        return png_header(side, side) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND")
    if kind == "webp":
        size = (side - 1).to_bytes(3, "little") * 2
        return webp_file(riff(b"VP8X", bytes(4) + size) + compress_webp(np.zeros((2, 2, 4), np.uint8)))
    jpeg = bytearray(flat_jpeg(8))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", side, side)
    return bytes(jpeg)


SMALL_PNG = flat_png(4)
SMALL_JPEG = flat_jpeg(8)
PICTURE_BOMBS = {
    "png, 60,000 squared": (claims(60_000, "png"), "canvas is limited to 16,000,000 pixels"),
    "webp, 60,000 squared": (claims(60_000, "webp"), "canvas is limited to 16,000,000 pixels"),
    "jpeg, 60,000 squared": (claims(60_000, "jpeg"), "canvas is limited to 16,000,000 pixels"),
    "apng, 300 x 1 megapixel": (flat_apng(1000, 300, over=True), "decoding is limited to"),
    "webp, 300 x 1 megapixel": (flat_webp(1000, 300), "decoding is limited to"),
    "jpeg, 60 scans": (many_scans(60), "decoding is limited to"),
    "jpeg, 2,000,000 scans": (SMALL_JPEG + b"\xff\xda\0\2" * 6_000_000, "limited to 100 scans"),
    "apng, 6,000 frames": (flat_apng(2, 6_000, over=True), "animation is limited to 5,000 frames"),
    "webp, 6,000 frames": (flat_webp(2, 6_000), "animation is limited to 5,000 frames"),
    "png, 24 MB of chunks": (SMALL_PNG[:33] + chunk(b"tEXt") * 2_000_000, "limited to 200,000 chunks"),
    "webp, 24 MB of chunks": (webp_file(riff(b"abcd", b"") * 3_000_000), "limited to 100,000 chunks"),
    "jpeg, 24 MB of segments": (b"\xff\xd8" + b"\xff\xfe\0\2" * 6_000_000, "limited to 10,000 segments"),
    "jpeg, 24 MB of 0xFF": (b"\xff\xd8" + b"\xff" * 24_000_000, "it ends inside its header"),
    "jpeg, 24 MB of junk": (SMALL_JPEG[:20] + bytes(24_000_000) + SMALL_JPEG[20:], "1 frames"),
    "png, 24 MB of empty blocks": (
        SMALL_PNG[:33] + chunk(b"IDAT", b"\x78\1" + b"\0\0\0\xff\xff" * 4_800_000) + chunk(b"IEND"),
        "not one frame is whole",
    ),
    "png, 200 MB in 1 MB": (
        SMALL_PNG[:33] + chunk(b"IDAT", zlib.compress(bytes(200_000_000), 1)) + chunk(b"IEND"),
        "1 frames",
    ),
}


@pytest.mark.parametrize(("file", "answer"), PICTURE_BOMBS.values(), ids=PICTURE_BOMBS)
def test_a_bomb_of_another_format_is_cheap(
    file: bytes, answer: str, tmp_path: Path, backend: Backend
) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(file)

    assert answer in assert_cheap(path, backend)


@pytest.mark.parametrize(
    "file",
    [
        flat_png(4000),
        flat_png(4000, depth=16, interlaced=True),
        flat_apng(4000, 3, over=True),
        flat_webp(4000),
        flat_webp(4000, 3),
        flat_jpeg(4000, progressive=True, subsampling=0),
        flat_jpeg(4000, mode="CMYK", progressive=True),
    ],
    ids=["png", "png of 16 bits", "apng", "webp", "animated webp", "jpeg", "jpeg of four colours"],
)
def test_the_largest_picture_fits_in_memory(file: bytes, tmp_path: Path, backend: Backend) -> None:
    path = tmp_path / "large"
    path.write_bytes(file)

    answer, _, megabytes = measure(path, backend.name)

    assert "frames" in answer
    assert megabytes < MEGABYTES_OF_PICTURES
