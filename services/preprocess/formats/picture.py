"""Frames of full colour: what PNG, WebP and JPEG have in common."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from services.preprocess.container import PIXEL, Blend, Decoded, Disposal, Rect

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

_BAND_PIXELS = 1_000_000  # converted at once: 4 MB
_COST = 4
_ORIENTATION = 0x0112  # the tag of EXIF


@dataclass(frozen=True)
class PictureFrame(abc.ABC):
    """One frame of full colour.

    Attributes:
        rect: where it is drawn.
        delay_ms: as written.
        disposal: what becomes of it before the next frame.
        blend: how it is laid over what is there; None where it replaces that.
        alpha: whether its pixels may be other than opaque.
    """

    rect: Rect
    delay_ms: int
    disposal: Disposal
    blend: Blend | None
    alpha: bool

    @property
    def opaque(self) -> bool:
        """Whether it is sure to replace every pixel of its rectangle."""
        return self.blend is None or not self.alpha

    @property
    def cost_pixels(self) -> int:
        """All of its own, each as many pixels of a GIF as take as long."""
        return _COST * self.rect.area

    @abc.abstractmethod
    def decode(self, data: bytes, backend: Backend) -> Canvas:
        """Decode its pixels, [height, width], as a canvas has them.

        Raises:
            BrokenDataError: they end early or make no sense.
        """

    def paint(self, canvas: Canvas, place: Rect, pixels: Decoded, backend: Backend) -> None:
        """Lay its pixels over the canvas, or replace what is there."""
        if self.opaque or self.blend is None:
            width, height = place.size
            canvas[place.top : place.bottom, place.left : place.right] = pixels[:height, :width]
        else:
            backend.blend(canvas, place, pixels, self.blend)


def to_pixels(image: Image.Image) -> Canvas:
    """Return the pixels of an image of any mode, as a canvas has them; a band at a time, to spare memory."""
    pixels = np.empty((image.height, image.width), PIXEL)
    rows = max(_BAND_PIXELS // image.width, 1)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height))).convert("RGBA")
        pixels[top : top + rows] = np.asarray(band).view(PIXEL)[..., 0]
    return pixels


def read_orientation(exif: bytes) -> int:
    """Find the orientation in EXIF that begins with its byte order; 1 where it says none that there is."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(exif[:4])
    if order is None:
        return 1

    def number(start: int, length: int) -> int:
        return int.from_bytes(exif[start : start + length], "little" if order == "little" else "big")

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if number(entry, 2) == _ORIENTATION and number(entry + 2, 2) == 3:  # a short
            found = number(entry + 8, 2)
            return found if 1 <= found <= 8 else 1
    return 1
