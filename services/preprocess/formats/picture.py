"""What the frames of PNG, WebP, JPEG and videos have in common: pixels in full colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from services.preprocess.container import PIXEL, Blend, Decoded, Frame, Rect

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

_BAND_PIXELS = 1_000_000  # converted at once: 4 MB
_COST = 4  # pixels of a GIF that are decoded in the time of one
_ORIENTATION = 0x0112  # tag of EXIF


@dataclass(frozen=True)
class PictureFrame(Frame):
    """One frame in full colour. `decode` returns pixels as a canvas has them, uint32 [height, width].

    Attributes:
        blend: how it is blended with the canvas; None if it replaces the canvas.
        alpha: whether its pixels may be transparent.
    """

    blend: Blend | None
    alpha: bool

    @property
    def opaque(self) -> bool:
        """Whether it certainly replaces every pixel of its rectangle."""
        return self.blend is None or not self.alpha

    @property
    def cost_pixels(self) -> int:
        """How long decoding takes, as the number of GIF pixels that take as long."""
        return _COST * self.rect.area

    def paint(self, canvas: Canvas, place: Rect, pixels: Decoded, backend: Backend) -> None:
        """Blend its pixels with the canvas, or replace the canvas."""
        if self.opaque or self.blend is None:
            width, height = place.size
            canvas[place.top : place.bottom, place.left : place.right] = pixels[:height, :width]
        else:
            backend.blend(canvas, place, pixels, self.blend)


def to_pixels(image: Image.Image) -> Canvas:
    """Return the pixels of an image of any mode as a canvas has them; a band at a time, to save memory."""
    pixels = np.empty((image.height, image.width), PIXEL)
    rows = max(_BAND_PIXELS // image.width, 1)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height))).convert("RGBA")
        pixels[top : top + rows] = np.asarray(band).view(PIXEL)[..., 0]
    return pixels


def read_orientation(exif: bytes) -> int:
    """Return the orientation, 1..8, from EXIF that starts with its byte order; 1 if there is no valid one."""
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return 1

    def number(start: int, length: int) -> int:
        return int.from_bytes(exif[start : start + length], "little" if exif[:1] == b"I" else "big")

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if number(entry, 2) == _ORIENTATION and number(entry + 2, 2) == 3:  # a short
            found = number(entry + 8, 2)
            return found if 1 <= found <= 8 else 1
    return 1
