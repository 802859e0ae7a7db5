"""A frame's palette as pixels of the canvas."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from services.preprocess.container import PIXEL
from services.preprocess.formats.gif import GifFrame

ENTRIES = 256


def palette_pixels(frame: GifFrame) -> NDArray[np.uint32]:
    """Return 256 pixels, not to be written to; colours that the GIF does not define are opaque black."""
    return _pixels(frame.palette)


@functools.lru_cache(maxsize=16)  # most frames share the palette of their GIF
def _pixels(palette: bytes) -> NDArray[np.uint32]:
    colours = np.zeros((ENTRIES, 4), np.uint8)
    colours[:, 3] = 255
    defined = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    colours[: len(defined), :3] = defined
    return colours.view(PIXEL)[:, 0]
