"""A file without its pixels: what every format is read into, before a pixel is decoded.

file -> `services.preprocess.formats.read` -> **Container**: the canvas, and of every whole frame its
rectangle, its delay, its disposal, and how its pixels are decoded and drawn. Nothing is allocated by what the
bytes claim: the budget is checked while reading.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from services.errors import GifTooLarge
from services.preprocess.ahead import map_ahead

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

PIXEL = np.dtype("<u4")  # of a canvas: little-endian, so that red comes first in memory
# Of canvases whose frames are decoded at once: decoders take up to 16 bytes a pixel.
_PIXELS_AHEAD = 8_000_000
Decoded = NDArray[Any]  # [height, width]: the pixels of one frame, as its format gives them


@dataclass(frozen=True)
class Budget:
    """What one file may cost. Going over it is `GifTooLarge`, naming the limit.

    Attributes:
        max_bytes: length of the file.
        max_canvas_pixels: width times height of the canvas, and of any single frame.
        max_frames: how many frames the file holds.
        max_decoded_pixels: pixels that must be decoded or cleared for one clip, after planning.
    """

    max_bytes: int = 25_000_000  # 25 MB, five times what an AWS Lambda request can carry
    max_canvas_pixels: int = 16_000_000  # a canvas of 64 MB in memory, 4 bytes a pixel
    max_frames: int = 5_000  # eight minutes at 10 frames a second
    max_decoded_pixels: int = 1_000_000_000  # at about 250 million a second: a few seconds at the very worst


class BrokenDataError(Exception):
    """Compressed pixels that end early or make no sense."""


class BrokenFrameError(Exception):
    """The compressed pixels of a frame end early or make no sense: browsers end the animation before it."""

    def __init__(self, index: int) -> None:
        super().__init__(f"frame {index} is broken")
        self.index = index


class Disposal(enum.IntEnum):
    """What happens to a frame's rectangle before the next frame is drawn."""

    KEEP = 1
    CLEAR = 2  # to transparent
    RESTORE = 3  # to what was there before this frame


class Blend(enum.Enum):
    """How Chromium lays a frame over what is there; colours are not yet weighed by their alpha."""

    PNG = enum.auto()  # exact, then rounded to the nearest; Chromium rounds some halves down
    WEBP = enum.auto()  # by libwebp's whole numbers, rounded down


class Rect(NamedTuple):
    """A rectangle in pixels, counted from the canvas's left and top; right and bottom are not part of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    @property
    def area(self) -> int:
        """Pixels inside; 0 for an empty rectangle."""
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)

    def clip(self, other: Rect) -> Rect:
        """Return the part inside the other, of area 0 where they do not meet."""
        left, top = min(self.left, other.right), min(self.top, other.bottom)
        return Rect(left, top, min(self.right, other.right), min(self.bottom, other.bottom))

    def covers(self, other: Rect) -> bool:
        """Whether every pixel of the other is in this one."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )


class Frame(Protocol):
    """One frame as its container describes it."""

    @property
    def rect(self) -> Rect:
        """Where it is drawn; may reach outside the canvas."""

    @property
    def delay_ms(self) -> int:
        """As written, 0 where the file says nothing."""

    @property
    def disposal(self) -> Disposal:
        """What becomes of it before the next frame."""

    @property
    def opaque(self) -> bool:
        """Whether it is sure to replace every pixel of its rectangle."""

    @property
    def cost_pixels(self) -> int:
        """How many pixels are decoded to decode it."""

    def decode(self, data: bytes, backend: Backend) -> Decoded:
        """Decode its pixels out of the file that it was read from.

        Raises:
            BrokenDataError: they end early or make no sense.
        """

    def paint(self, canvas: Canvas, place: Rect, pixels: Decoded, backend: Backend) -> None:
        """Draw what `decode` gave on a place within the canvas; what reaches beyond it is dropped."""


@dataclass(frozen=True)
class Container:
    """A file without its pixels.

    Attributes:
        format: what it is, a key of `services.clip.FORMATS`.
        data: the whole file.
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.
        frames: at least one.
        translucent: whether a pixel may be neither opaque nor absent. The canvas then holds colours that are
            not yet weighed by their alpha.
        orientation: how the canvas is turned to be shown, 1..8 as in EXIF.
    """

    format: str
    data: bytes
    width: int
    height: int
    frames: Sequence[Frame]
    translucent: bool = False
    orientation: int = 1

    @property
    def canvas(self) -> Rect:
        """The whole canvas."""
        return Rect(0, 0, self.width, self.height)

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height of the canvas as it is shown."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)

    def cost_pixels(self, decoded: Collection[int], cleared: Collection[int] = ()) -> int:
        """Count the pixels that it takes to decode some frames and to clear the rectangles of others."""
        cost = sum(self.frames[index].cost_pixels for index in decoded)
        return cost + sum(self.frames[index].rect.area for index in cleared)

    def decode(self, indices: Iterable[int], backend: Backend, *, threads: int) -> Iterator[Decoded]:
        """Yield the pixels of these frames, whose indices increase.

        Raises:
            BrokenFrameError: a frame cannot be decoded; it comes in its turn.
        """
        threads = min(threads, max(_PIXELS_AHEAD // self.canvas.area, 1))
        return map_ahead(functools.partial(self._decode, backend=backend), indices, threads=threads)

    def _decode(self, index: int, *, backend: Backend) -> Decoded:
        try:
            return self.frames[index].decode(self.data, backend)
        except BrokenDataError:
            raise BrokenFrameError(index) from None


def check_limit(limit: str, allowed: int, found: int, unit: str, *, at_least: bool = False) -> None:
    """Refuse what is over a limit.

    Raises:
        GifTooLarge: naming the limit.
    """
    if found > allowed:
        raise GifTooLarge(limit, allowed=allowed, found=found, unit=unit, at_least=at_least)
