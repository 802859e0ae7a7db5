"""The pixels of frames, as Chromium shows them.

GIF bytes, `Container` and the steps of a plan -> `render` -> one canvas for each frame that is shown.

A canvas is uint32 [height, width]: red, green, blue and alpha, each a byte, in the order of memory. A pixel
that nothing was drawn on is 0, transparent black. LZW is Pillow's; the canvas is ours, because Pillow's own
follows other rules than browsers do (disposal 2 to the background colour, a canvas that grows).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.preprocess.container import Container, Disposal, Frame
from services.preprocess.plan import Action, Step

Canvas = NDArray[np.uint32]

PALETTE_ENTRIES = 256
PIXEL = np.dtype("<u4")  # little-endian, so that red comes first in memory
_BAND_PIXELS = 65_536  # drawn at once: numpy widens indices to 8 bytes each, 512 KB that stay in the cache


class BrokenFrameError(Exception):
    """The compressed pixels of a frame end early or make no sense: browsers end the animation before it."""

    def __init__(self, index: int) -> None:
        super().__init__(f"frame {index} is broken")
        self.index = index


def render(gif: bytes, container: Container, steps: Collection[Step]) -> Iterator[tuple[int, Canvas]]:
    """Take the steps and yield (index, canvas) for each that shows; the canvas holds until the next one.

    Raises:
        BrokenFrameError: a frame that a step draws cannot be decoded.
    """
    canvas = np.zeros((container.height, container.width), PIXEL)
    for index, action in steps:
        frame = container.frames[index]
        left, top, right, bottom = frame.rect.clip(container.canvas)
        part = canvas[top:bottom, left:right]
        if action is Action.CLEAR:
            part[...] = 0
            continue
        restore = action is Action.SHOW and frame.disposal is Disposal.RESTORE
        before = part.copy() if restore else None
        _draw(part, decode_lzw(gif, index, frame), frame)
        if action is Action.SHOW:
            yield index, canvas
            if before is not None:
                part[...] = before
            elif frame.disposal is Disposal.CLEAR:
                part[...] = 0
        del before  # up to 64 MB, not to be held while the next frame is copied


def decode_lzw(gif: bytes, index: int, frame: Frame) -> NDArray[np.uint8]:
    """Decompress one frame: palette indices, uint8 [height, width].

    Raises:
        BrokenFrameError: the data is short or no LZW.
    """
    if not frame.rect.area:
        width, height = frame.rect.size
        return np.empty((height, width), np.uint8)
    data = gif[frame.start : frame.stop]
    try:
        image = Image.frombytes("P", frame.rect.size, data, "gif", (frame.code_size, frame.interlaced, -1))
    except ValueError:  # "not enough image data" or "cannot decode image data"
        raise BrokenFrameError(index) from None
    return np.asarray(image)


def _draw(part: Canvas, pixels: NDArray[np.uint8], frame: Frame) -> None:
    """Draw a frame's pixels onto its part of the canvas, which drops what lies outside."""
    height, width = part.shape
    if not height or not width:
        return
    pixels = pixels[:height, :width]
    palette = _palette(frame)
    rows = max(_BAND_PIXELS // width, 1)
    for top in range(0, height, rows):
        band = part[top : top + rows]
        indices = pixels[top : top + rows]
        # A uint8 never wraps at 256; the mode only saves numpy the range check, and a copy of `out`.
        if frame.opaque:
            np.take(palette, indices, out=band, mode="wrap")
        else:
            colours = np.take(palette, indices, mode="wrap")
            band[...] = np.where(indices != frame.transparent, colours, band)


def _palette(frame: Frame) -> NDArray[np.uint32]:
    """Return the 256 colours as canvas pixels; those that the GIF does not define are opaque black."""
    colours = np.zeros((PALETTE_ENTRIES, 4), np.uint8)
    colours[:, 3] = 255
    defined = np.frombuffer(frame.palette, np.uint8).reshape(-1, 3)
    colours[: len(defined), :3] = defined
    return colours.view(PIXEL)[:, 0]
