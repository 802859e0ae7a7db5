"""The structure of a file without its pixels: the canvas, and place, delay and disposal of each frame.

`services.preprocess.formats.read` creates it from the bytes of a file of any format. It checks the budget
while it reads, so that no memory is allocated only because a file claims to be large.
"""

from __future__ import annotations

import abc
import enum
import functools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.clip import FORMATS
from services.errors import CorruptGif, GifTooLarge
from services.workers import map_ahead

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

PIXEL = np.dtype("<u4")  # of a canvas: little-endian, so that red comes first in memory
_PIXELS_AHEAD = 8_000_000  # of frames that are decoded at the same time: decoders use up to 16 bytes a pixel
Decoded = NDArray[Any]  # [height, width]: the pixels of one frame, as its format gives them


@dataclass(frozen=True)
class Budget:
    """Limits on the cost of one file. A file over a limit raises `GifTooLarge`, which names the limit.

    Attributes:
        max_bytes: length of the file.
        max_canvas_pixels: width times height of the canvas, and of any single frame.
        max_frames: number of frames.
        max_decoded_pixels: pixels that must be decoded or cleared for one clip, after planning.
    """

    max_bytes: int = 25_000_000  # 25 MB, five times as much as an AWS Lambda request can contain
    max_canvas_pixels: int = 16_000_000  # a canvas of 64 MB in memory, 4 bytes a pixel
    max_frames: int = 5_000  # eight minutes at 10 frames a second
    max_decoded_pixels: int = 1_000_000_000  # a few seconds at most, at about 250 million a second


class BrokenDataError(Exception):
    """Compressed pixels are invalid or end early."""


class BrokenFrameError(Exception):
    """The pixels of a frame are invalid or end early. Browsers end the animation before such a frame."""

    def __init__(self, index: int) -> None:
        super().__init__(f"frame {index} is broken")
        self.index = index


class Disposal(enum.IntEnum):
    """What is done with a frame's rectangle before the next frame is drawn."""

    KEEP = 1
    CLEAR = 2  # to transparent
    RESTORE = 3  # to its contents before this frame


class Blend(enum.Enum):
    """How Chromium blends a frame with the canvas; colours are not premultiplied by alpha."""

    PNG = enum.auto()  # computed exactly and rounded to the nearest; Chromium rounds some halves down
    WEBP = enum.auto()  # in libwebp's integer arithmetic, rounded down


class Rect(NamedTuple):
    """A rectangle in pixels from the left and top of the canvas; right and bottom are exclusive."""

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
        """Number of pixels inside; 0 for an empty rectangle."""
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)

    def clip(self, other: Rect) -> Rect:
        """Return the part inside the other rectangle; its area is 0 if they do not intersect."""
        left, top = min(self.left, other.right), min(self.top, other.bottom)
        return Rect(left, top, min(self.right, other.right), min(self.bottom, other.bottom))

    def covers(self, other: Rect) -> bool:
        """Whether every pixel of the other rectangle is in this one."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )


@dataclass(frozen=True)
class Frame(abc.ABC):
    """One frame as its file describes it.

    Attributes:
        rect: where it is drawn; may reach outside the canvas.
        delay_ms: as in the file, 0 if the file has none.
        disposal: what is done with its rectangle before the next frame.
    """

    rect: Rect
    delay_ms: int
    disposal: Disposal

    @property
    @abc.abstractmethod
    def opaque(self) -> bool:
        """Whether it certainly replaces every pixel of its rectangle."""

    @property
    def cost_pixels(self) -> int:
        """How long decoding takes, as the number of GIF pixels that take as long."""
        return self.rect.area

    @abc.abstractmethod
    def decode(self, data: bytes, backend: Backend) -> Decoded:
        """Decode its pixels from the bytes of the whole file.

        Raises:
            BrokenDataError: they are invalid or end early.
        """

    @abc.abstractmethod
    def paint(self, canvas: Canvas, place: Rect, pixels: Decoded, backend: Backend) -> None:
        """Draw the pixels from `decode` on a place within the canvas; pixels beyond it are dropped."""


@dataclass(frozen=True)
class Container:
    """The structure of a file without its pixels.

    Attributes:
        format: a key of `services.clip.FORMATS`.
        data: the whole file.
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.
        frames: at least one.
        translucent: whether pixels may be partly transparent. Then the colours on the canvas are not
            premultiplied by alpha.
        orientation: how the canvas is turned before it is shown, 1..8 as in EXIF.

    Raises:
        CorruptGif: there is no frame.
    """

    format: str
    data: bytes
    width: int
    height: int
    frames: Sequence[Frame]
    translucent: bool = False
    orientation: int = 1

    def __post_init__(self) -> None:
        """Check that there is a frame."""
        if not self.frames:
            raise CorruptGif("not one frame is whole", kind=FORMATS[self.format])

    @property
    def canvas(self) -> Rect:
        """The whole canvas."""
        return Rect(0, 0, self.width, self.height)

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height of the canvas as it is shown."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)

    def cost_pixels(self, decoded: Collection[int], cleared: Collection[int] = ()) -> int:
        """Return the cost of decoding some frames and clearing the rectangles of others."""
        cost = sum(self.frames[index].cost_pixels for index in decoded)
        return cost + sum(self.frames[index].rect.area for index in cleared)

    def decode(self, indices: Iterable[int], backend: Backend, *, threads: int) -> Iterator[Decoded]:
        """Yield the pixels of these frames, whose indices increase.

        Raises:
            BrokenFrameError: a frame cannot be decoded; raised at its place in the order.
        """
        threads = min(threads, max(_PIXELS_AHEAD // self.canvas.area, 1))
        return map_ahead(functools.partial(self._decode, backend=backend), indices, threads=threads)

    def _decode(self, index: int, *, backend: Backend) -> Decoded:
        try:
            return self.frames[index].decode(self.data, backend)
        except BrokenDataError:
            raise BrokenFrameError(index) from None


def check_limit(limit: str, allowed: int, found: int, unit: str, *, at_least: bool = False) -> None:
    """Check a number against a limit.

    Raises:
        GifTooLarge: it is larger.
    """
    if found > allowed:
        raise GifTooLarge(limit, allowed=allowed, found=found, unit=unit, at_least=at_least)


def check_canvas(width: int, height: int, budget: Budget, kind: str) -> None:
    """Check the size of a canvas.

    Args:
        width: in pixels.
        height: in pixels.
        budget: has the limit.
        kind: name of the format, for the message.

    Raises:
        CorruptGif: it is empty.
        GifTooLarge: it is over the limit.
    """
    if not width * height:
        raise CorruptGif(f"its canvas is empty ({width} x {height} pixels)", kind=kind)
    check_limit("canvas", budget.max_canvas_pixels, width * height, "pixels")
