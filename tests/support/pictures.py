"""Small PNG, APNG, WebP and JPEG files, and checks of what they become."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.clip import check_clip
from services.errors import GifError
from services.preprocess import Budget, decode_gif
from tests.support.picture_writer import Part, write_apng, write_png, write_webp

WIDTH, HEIGHT = 26, 18


def noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Random RGBA, some of it opaque and some transparent."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    pixels[: height // 3, :, -1] = 255
    pixels[height // 3 : height // 2, :, -1] = 0
    return pixels


def smooth() -> NDArray[np.uint8]:
    """RGB that compresses well."""
    y, x = np.mgrid[0:75, 0:101]
    return np.dstack([x * 2, y * 3, x + y]).astype(np.uint8)


def solid(colour: tuple[int, ...], height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """One colour."""
    return np.full((height, width, len(colour)), colour, np.uint8)


def saved(pixels: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    """Pixels as Pillow writes them."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    """EXIF that holds only the orientation."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


_RED = Part(solid((250, 5, 5, 255), 48, 64), delay_ms=500)
# One red file of each format beside GIF.
FORMATS_OF = {
    "png": write_png(_RED.pixels),
    "apng": write_apng(64, 48, [_RED, _RED]),
    "webp": write_webp(64, 48, [_RED, _RED]),
    "jpeg": saved(solid((250, 5, 5), 48, 64), "JPEG"),
}


def colours(file: bytes) -> list[tuple[int, ...]]:
    """The colour of each frame of a clip with plain frames."""
    frames = decode_gif(file).frames
    assert all((frame == frame[0, 0]).all() for frame in frames)
    return [tuple(frame[0, 0].tolist()) for frame in frames]


def assert_clip_or_error(data: bytes, budget: Budget) -> None:
    """Check that any bytes give a valid clip or an error with a message."""
    try:
        clip = decode_gif(data, budget=budget)
    except GifError as refused:
        assert refused.message
    else:
        check_clip(clip)
