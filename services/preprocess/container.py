"""The blocks of a GIF, without its pixels.

GIF bytes -> `scan` -> **Container**: the canvas and every whole frame's rectangle, delay, disposal, palette
and the place of its compressed pixels. No pixel is decoded and nothing is allocated by what the bytes claim:
the budget is checked while reading.

The format: https://www.w3.org/Graphics/GIF/spec-gif89a.txt. Where that leaves room, Chromium decides.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from services.errors import CorruptGif, GifTooLarge
from services.preprocess.signature import check_signature

HEADER_BYTES = 13  # signature and version, then the logical screen descriptor
PALETTE_ENTRY_BYTES = 3  # red, green, blue

EXTENSION, IMAGE = 0x21, 0x2C  # the byte that begins a block
GRAPHIC_CONTROL = 0xF9  # the label of the extension that times and disposes of the next image
CONTROL_BYTES = 4  # of its one data sub-block
MAX_CODE_SIZE = 8  # bits: a pixel is a palette index, 0..255


@dataclass(frozen=True)
class Budget:
    """What one GIF may cost. Going over it is `GifTooLarge`, naming the limit.

    Attributes:
        max_bytes: length of the GIF.
        max_canvas_pixels: width times height of the canvas, and of any single frame.
        max_frames: how many frames the GIF holds.
        max_decoded_pixels: pixels that must be decoded or cleared for one clip, after planning.
    """

    max_bytes: int = 25_000_000  # 25 MB, five times what an AWS Lambda request can carry
    max_canvas_pixels: int = 16_000_000  # a canvas of 64 MB in memory, 4 bytes a pixel
    max_frames: int = 5_000  # eight minutes at 10 frames a second
    max_decoded_pixels: int = 1_000_000_000  # at about 250 million a second: a few seconds at the very worst


class Disposal(enum.IntEnum):
    """What happens to a frame's rectangle before the next frame is drawn."""

    KEEP = 1
    CLEAR = 2  # to transparent
    RESTORE = 3  # to what was there before this frame


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


class Frame(NamedTuple):
    """One image of a GIF, as its blocks describe it.

    Attributes:
        rect: where it is drawn; may reach outside the canvas.
        delay_ms: as written, 0 where the GIF says nothing.
        disposal: what becomes of it before the next frame.
        transparent: the palette index that draws nothing; None where all indices draw.
        interlaced: whether its rows come in four passes.
        palette: RGB bytes of its colours, at most 256 of them; empty where the GIF has none.
        code_size: bits of an uncompressed pixel, as the LZW data begins.
        start: offset of its first data sub-block in the GIF.
        stop: offset just behind the empty sub-block that ends its data.
    """

    rect: Rect
    delay_ms: int
    disposal: Disposal
    transparent: int | None
    interlaced: bool
    palette: bytes
    code_size: int
    start: int
    stop: int

    @property
    def opaque(self) -> bool:
        """Whether it is sure to draw every pixel of its rectangle."""
        return self.transparent is None or self.transparent >= 1 << self.code_size


@dataclass(frozen=True)
class Container:
    """A GIF without its pixels: the canvas in pixels, and at least one frame."""

    width: int
    height: int
    frames: tuple[Frame, ...]

    @property
    def canvas(self) -> Rect:
        """The whole canvas."""
        return Rect(0, 0, self.width, self.height)


class _Control(NamedTuple):
    """A graphic control extension: it holds for the next image only."""

    delay_ms: int = 0
    disposal: Disposal = Disposal.KEEP
    transparent: int | None = None


class _BadBlockError(Exception):
    """A block that Chromium refuses, and with it all that follows."""


# Browsers read 4 as "restore" too, which some encoders meant; 0 and the undefined 5 to 7 keep.
_DISPOSALS = (
    Disposal.KEEP,
    Disposal.KEEP,
    Disposal.CLEAR,
    Disposal.RESTORE,
    Disposal.RESTORE,
    Disposal.KEEP,
    Disposal.KEEP,
    Disposal.KEEP,
)


def scan(gif: bytes, budget: Budget) -> Container:
    """Read the blocks of a GIF up to its trailer, its end or the first block that is cut or unknown.

    The frames before that are whole as far as their blocks go; their pixels may still prove broken. As in
    Chromium, a first frame that reaches outside the canvas enlarges it, and later ones do not.

    Raises:
        NotAGif: the bytes do not begin as a GIF; the message says what they are.
        CorruptGif: the canvas is empty, or no frame is whole.
        GifTooLarge: bytes, canvas, one frame or the number of frames are over the budget.
    """
    check_signature(gif)
    _check("length", budget.max_bytes, len(gif), "bytes")
    if len(gif) < HEADER_BYTES:
        raise CorruptGif("it ends inside its header")
    width = gif[6] | gif[7] << 8
    height = gif[8] | gif[9] << 8
    if not width * height:
        raise CorruptGif(f"its canvas is empty ({width} x {height} pixels)")
    _check("canvas", budget.max_canvas_pixels, width * height, "pixels")
    palette, position = _read_palette(gif, HEADER_BYTES, gif[10])
    frames = _read_frames(gif, position, palette, budget)
    if not frames:
        raise CorruptGif("not one frame is whole")
    width = max(width, frames[0].rect.right)
    height = max(height, frames[0].rect.bottom)
    _check("canvas", budget.max_canvas_pixels, width * height, "pixels")
    return Container(width, height, tuple(frames))


def _check(limit: str, allowed: int, found: int, unit: str) -> None:
    if found > allowed:
        raise GifTooLarge(limit, allowed=allowed, found=found, unit=unit)


def _read_palette(gif: bytes, position: int, flags: int) -> tuple[bytes, int]:
    """Return the palette that the flags announce, empty for none, and the offset behind it."""
    if not flags & 0x80:
        return b"", position
    stop = position + (PALETTE_ENTRY_BYTES << ((flags & 7) + 1))
    return gif[position:stop], stop


def _read_frames(gif: bytes, position: int, palette: bytes, budget: Budget) -> list[Frame]:
    """Follow the blocks from `position` on; one that is cut or makes no sense ends the animation."""
    frames: list[Frame] = []
    control = _Control()
    try:
        while True:
            kind = gif[position]
            if kind == EXTENSION:
                if gif[position + 1] == GRAPHIC_CONTROL:
                    control = _read_control(gif, position + 2)
                position = _skip_sub_blocks(gif, position + 2)
            elif kind == IMAGE:
                if len(frames) == budget.max_frames:
                    found = len(frames) + _count_images(gif, position)
                    raise GifTooLarge("animation", allowed=budget.max_frames, found=found, unit="frames")
                frame = _read_image(gif, position + 1, palette, control)
                _check("frame", budget.max_canvas_pixels, frame.rect.area, "pixels")
                frames.append(frame)
                position = frame.stop
                control = _Control()
            else:  # the trailer, or no block at all
                return frames
    except (IndexError, _BadBlockError):
        return frames


def _read_control(gif: bytes, position: int) -> _Control:
    if gif[position] != CONTROL_BYTES:
        raise _BadBlockError
    flags = gif[position + 1]
    return _Control(
        delay_ms=10 * (gif[position + 2] | gif[position + 3] << 8),
        disposal=_DISPOSALS[flags >> 2 & 7],
        transparent=gif[position + 4] if flags & 1 else None,
    )


def _read_image(gif: bytes, position: int, palette: bytes, control: _Control) -> Frame:
    left = gif[position] | gif[position + 1] << 8
    top = gif[position + 2] | gif[position + 3] << 8
    right = left + (gif[position + 4] | gif[position + 5] << 8)
    bottom = top + (gif[position + 6] | gif[position + 7] << 8)
    flags = gif[position + 8]
    local, position = _read_palette(gif, position + 9, flags)
    code_size = gif[position]
    if code_size > MAX_CODE_SIZE:
        raise _BadBlockError
    return Frame(
        Rect(left, top, right, bottom),
        control.delay_ms,
        control.disposal,
        control.transparent,
        bool(flags & 0x40),
        local or palette,
        code_size,
        position + 1,
        _skip_sub_blocks(gif, position + 1),
    )


def _skip_sub_blocks(gif: bytes, position: int) -> int:
    """Return the offset behind the empty sub-block that ends a chain; IndexError where it never ends."""
    while length := gif[position]:
        position += length + 1
    return position + 1


def _count_images(gif: bytes, position: int) -> int:
    """Count the images from `position` on, keeping nothing: to tell how far over the limit a GIF is."""
    found = 0
    try:
        while True:
            kind = gif[position]
            if kind == EXTENSION:
                position += 2
            elif kind == IMAGE:
                flags = gif[position + 9]
                position += 11 + (PALETTE_ENTRY_BYTES << ((flags & 7) + 1) if flags & 0x80 else 0)
            else:
                return found
            while length := gif[position]:
                position += length + 1
            position += 1
            found += kind == IMAGE
    except IndexError:
        return found
