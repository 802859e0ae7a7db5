"""From a canvas of any size to a frame of the clip: the only place where pixels change their scale.

canvas -> `shrink` -> picture to look for borders in -> `resize` -> uint8 [224, 224, 3]

A frame is squashed to a square, not padded: what is learned and what is served see the same distortion, and
no pixel is spent on bars. Transparent pixels are 0 and so come out black.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.clip import CLIP_SIZE
from services.preprocess.container import Rect
from services.preprocess.render import Canvas

# A picture keeps at least twice the resolution of the clip; ten of them take at most 32 MB.
PICTURE_SIZE = 2 * CLIP_SIZE  # 448 pixels


def shrink(canvas: Canvas) -> NDArray[np.uint8]:
    """Copy a canvas as uint8 [height, width, 4], each side divided by a whole number to under 896 pixels."""
    height, width = canvas.shape
    factors = max(width // PICTURE_SIZE, 1), max(height // PICTURE_SIZE, 1)
    if factors == (1, 1):
        return canvas.copy().view(np.uint8).reshape(height, width, 4)
    image = Image.frombuffer("RGBX", (width, height), canvas, "raw", "RGBX", 0, 1)  # no copy
    return np.asarray(image.reduce(factors))


def resize(picture: NDArray[np.uint8], content: Rect) -> NDArray[np.uint8]:
    """Scale the content of a picture, uint8 [height, width, 4], to uint8 [224, 224, 3]."""
    # Cut first: a box handed to Pillow's resize lets pixels outside it shine through along its edges.
    inside = picture[content.top : content.bottom, content.left : content.right]
    # BILINEAR after a whole-number box reduction (reducing_gap) is within noise of a plain antialiased
    # resize and was the fastest of Pillow's ways when measured on real GIFs.
    height, width = inside.shape[:2]
    # Unpacked to RGB first: Pillow scales three channels a fifth faster than four.
    image = Image.frombytes("RGB", (width, height), np.ascontiguousarray(inside), "raw", "RGBX")
    scaled = image.resize((CLIP_SIZE, CLIP_SIZE), Image.Resampling.BILINEAR, reducing_gap=1.0)
    return np.asarray(scaled)
