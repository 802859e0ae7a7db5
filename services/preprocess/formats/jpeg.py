"""Reads the segments of a JPEG into a `Container` of one frame.

The format: https://www.w3.org/Graphics/JPEG/itu-t81.pdf. As in browsers, baseline and progressive pictures
with 8 bits are supported, and are turned by the orientation in their EXIF.
"""

from __future__ import annotations

import io
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from services.errors import CorruptGif
from services.preprocess.container import (
    BrokenDataError,
    Budget,
    Container,
    Disposal,
    Rect,
    check_canvas,
    check_limit,
)
from services.preprocess.formats.picture import PictureFrame, read_orientation, to_pixels

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

MAX_SEGMENTS = 10_000  # before the pixels
MAX_SCANS = 100  # of a progressive picture; encoders write about ten

EXIF, ADOBE, START_OF_SCAN = 0xE1, 0xEE, 0xDA
JFIF, TABLES, RESTART_INTERVAL = 0xE0, (0xC4, 0xDB), 0xDD
FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
OTHER_FRAMES = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
ALONE = (0x01, *range(0xD0, 0xD8))  # markers without contents
_MARKER = re.compile(rb"\xff[^\x00\xff]")


@dataclass(frozen=True)
class JpegFrame(PictureFrame):
    """The picture of a JPEG.

    Attributes:
        segments: start and stop of the segments that decoding needs, in their order; the last is the rest of
            the file.
        scans: number of passes over its pixels.
    """

    segments: tuple[tuple[int, int], ...]
    scans: int

    @property
    def cost_pixels(self) -> int:
        """All of its pixels, and half of them for each scan, because every scan passes over all of them."""
        return super().cost_pixels * (2 + self.scans) // 2

    def decode(self, data: bytes, backend: Backend) -> Canvas:
        """Let Pillow decode the needed segments only."""
        file = b"\xff\xd8" + b"".join(data[start:stop] for start, stop in self.segments)
        try:
            with Image.open(io.BytesIO(file), formats=["JPEG"]) as image:
                if image.size != self.rect.size:
                    raise BrokenDataError
                return to_pixels(image)
        except (OSError, ValueError, SyntaxError):
            raise BrokenDataError from None


def scan(jpeg: bytes, budget: Budget) -> Container:
    """Read the segments up to the first scan.

    Raises:
        CorruptGif: there is no picture, or one of a kind that browsers do not show.
        GifTooLarge: the canvas, or the number of scans or segments, is over the limit.
    """
    size: tuple[int, int] | None = None
    orientation: int | None = None
    segments: list[tuple[int, int]] = []
    position = 2
    for count in itertools.count():
        check_limit("structure", MAX_SEGMENTS, count, "segments", at_least=True)
        position = _find_marker(jpeg, position)
        marker = jpeg[position + 1]
        if marker == START_OF_SCAN:
            break
        if marker in ALONE:
            position += 2
            continue
        stop = position + 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
        if stop < position + 4 or stop > len(jpeg):
            raise CorruptGif("it ends inside its header", kind="JPEG")
        if marker in OTHER_FRAMES:
            raise CorruptGif("its pixels are compressed in a way that browsers do not show", kind="JPEG")
        if marker in FRAMES:
            if size is not None:
                raise CorruptGif("it holds more than one picture", kind="JPEG")
            size = _read_size(jpeg[position + 4 : stop])
        elif marker == EXIF and jpeg.startswith(b"Exif\0\0", position + 4) and orientation is None:
            orientation = read_orientation(jpeg[position + 10 : stop])
        if marker in (*FRAMES, JFIF, ADOBE, RESTART_INTERVAL, *TABLES):
            segments.append((position, stop))
        position = stop
    if size is None:
        raise CorruptGif("it has no header", kind="JPEG")
    check_canvas(*size, budget, "JPEG")
    scans = jpeg.count(b"\xff\xda", position)
    check_limit("structure", MAX_SCANS, scans, "scans")
    segments.append((position, len(jpeg)))
    rect = Rect(0, 0, *size)
    frame = JpegFrame(rect, 0, Disposal.KEEP, None, alpha=False, segments=tuple(segments), scans=scans)
    return Container("jpeg", jpeg, *size, (frame,), orientation=orientation or 1)


def _find_marker(jpeg: bytes, position: int) -> int:
    """Return the offset of the last 0xFF before the next marker's byte."""
    found = _MARKER.search(jpeg, position)
    if found is None:
        raise CorruptGif("it ends inside its header", kind="JPEG")
    return found.start()


def _read_size(frame: bytes) -> tuple[int, int]:
    """Read width and height from the contents of a frame header."""
    if len(frame) < 6 or frame[0] != 8:
        raise CorruptGif("its samples do not have 8 bits", kind="JPEG")
    return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
