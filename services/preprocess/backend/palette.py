"""A frame's palette as pixels of the canvas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.preprocess.container import Frame

ENTRIES = 256
PIXEL = np.dtype("<u4")  # little-endian, so that red comes first in memory


def palette_pixels(frame: Frame) -> NDArray[np.uint32]:
    """Return 256 pixels; colours that the GIF does not define are opaque black."""
    colours = np.zeros((ENTRIES, 4), np.uint8)
    colours[:, 3] = 255
    defined = np.frombuffer(frame.palette, np.uint8).reshape(-1, 3)
    colours[: len(defined), :3] = defined
    return colours.view(PIXEL)[:, 0]
