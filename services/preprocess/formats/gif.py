"""The blocks of a GIF: **bytes** -> `scan` -> **Container** of `GifFrame`.

The format: https://www.w3.org/Graphics/GIF/spec-gif89a.txt. Where that leaves room, Chromium decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.errors import CorruptGif, GifTooLarge
from services.preprocess.container import Budget, Container, Decoded, Disposal, Rect, check_limit

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

HEADER_BYTES = 13  # signature and version, then the logical screen descriptor
PALETTE_ENTRY_BYTES = 3  # red, green, blue

EXTENSION, IMAGE = 0x21, 0x2C  # the byte that begins a block
GRAPHIC_CONTROL = 0xF9  # the label of the extension that times and disposes of the next image
CONTROL_BYTES = 4  # of its one data sub-block
MAX_CODE_SIZE = 8  # bits: a pixel is a palette index, 0..255
APPLICATION = 0xFF  # the label of the extension that names a program
LOOPS = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")  # its sub-block, where it says how often to repeat

# Blocks cost time even where they hold nothing, so there are limits to their number. Encoders write two or
# three extensions a frame and sub-blocks of 254 or 255 bytes; 25 MB are a hundred thousand of these.
MAX_EXTENSIONS = 100_000
MAX_SUB_BLOCKS = 2_000_000
# Code sizes of 0 and 1 are not allowed by the specification and rare. Only slow loops of our own read them.
NARROW_CODE_SIZE = 1
MAX_NARROW_BYTES = 250_000  # of such data in one GIF


class GifFrame(NamedTuple):
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

    @property
    def cost_pixels(self) -> int:
        """All of its own."""
        return self.rect.area

    def decode(self, data: bytes, backend: Backend) -> NDArray[np.uint8]:
        """Decompress its palette indices, uint8 [height, width].

        Raises:
            BrokenDataError: the data is short or no LZW.
        """
        if not self.rect.area:
            width, height = self.rect.size
            return np.empty((height, width), np.uint8)
        return backend.decompress(data, self)

    def paint(self, canvas: Canvas, place: Rect, pixels: Decoded, backend: Backend) -> None:
        """Draw the colours that its indices stand for."""
        backend.paint(canvas, place, pixels, self)


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
        CorruptGif: the canvas is empty, or no frame is whole.
        GifTooLarge: canvas, one frame, or the number of frames or blocks are over the budget.
    """
    if len(gif) < HEADER_BYTES:
        raise CorruptGif("it ends inside its header")
    width = gif[6] | gif[7] << 8
    height = gif[8] | gif[9] << 8
    check_limit("canvas", budget.max_canvas_pixels, width * height, "pixels")
    palette, position = _read_palette(gif, HEADER_BYTES, gif[10])
    frames = _Reader(gif, palette, budget).read_frames(position)
    if not frames:
        raise CorruptGif("not one frame is whole")
    width = max(width, frames[0].rect.right)
    height = max(height, frames[0].rect.bottom)
    if not width * height:
        raise CorruptGif(f"its canvas is empty ({width} x {height} pixels)")
    check_limit("canvas", budget.max_canvas_pixels, width * height, "pixels")
    return Container("gif", gif, width, height, tuple(frames))


def _read_palette(gif: bytes, position: int, flags: int) -> tuple[bytes, int]:
    """Return the palette that the flags announce, empty for none, and the offset behind it."""
    if not flags & 0x80:
        return b"", position
    stop = position + (PALETTE_ENTRY_BYTES << ((flags & 7) + 1))
    return gif[position:stop], stop


class _Reader:
    """Follows the blocks of one GIF and counts them.

    Args:
        gif: the whole file.
        palette: of frames that bring none.
        budget: what it may cost.
    """

    def __init__(self, gif: bytes, palette: bytes, budget: Budget) -> None:
        self._gif, self._palette, self._budget = gif, palette, budget
        self._extensions = 0
        self._sub_blocks = 0

    def read_frames(self, position: int) -> list[GifFrame]:
        """Follow the blocks from `position` on; one that is cut or makes no sense ends the animation."""
        gif, budget = self._gif, self._budget
        frames: list[GifFrame] = []
        control = _Control()
        narrow_bytes = 0
        try:
            while True:
                kind = gif[position]
                if kind == EXTENSION:
                    self._count_extension()
                    if gif[position + 1] == GRAPHIC_CONTROL:
                        control, position = _read_control(gif, position + 2)
                    else:
                        position = self._skip_extension(position + 1)
                elif kind == IMAGE:
                    if len(frames) == budget.max_frames:
                        raise self._too_many(len(frames), position)
                    frame = self._read_image(position + 1, control)
                    check_limit("frame", budget.max_canvas_pixels, frame.rect.area, "pixels")
                    if frame.code_size <= NARROW_CODE_SIZE:
                        narrow_bytes += frame.stop - frame.start
                        check_limit("data of code size 0 or 1", MAX_NARROW_BYTES, narrow_bytes, "bytes")
                    frames.append(frame)
                    position = frame.stop
                    control = _Control()
                else:  # the trailer, or no block at all
                    return frames
        except (IndexError, _BadBlockError):
            return frames

    def _read_image(self, position: int, control: _Control) -> GifFrame:
        gif = self._gif
        left = gif[position] | gif[position + 1] << 8
        top = gif[position + 2] | gif[position + 3] << 8
        right = left + (gif[position + 4] | gif[position + 5] << 8)
        bottom = top + (gif[position + 6] | gif[position + 7] << 8)
        flags = gif[position + 8]
        local, position = _read_palette(gif, position + 9, flags)
        code_size = gif[position]
        if code_size > MAX_CODE_SIZE:
            raise _BadBlockError
        return GifFrame(
            Rect(left, top, right, bottom),
            control.delay_ms,
            control.disposal,
            control.transparent,
            bool(flags & 0x40),
            local or self._palette,
            code_size,
            position + 1,
            self._skip_sub_blocks(position + 1),
        )

    def _skip_extension(self, position: int) -> int:
        """Return the offset behind the extension whose label is at `position`."""
        gif = self._gif
        if (
            gif[position] == APPLICATION
            and gif[position + 1 : position + 13] in LOOPS
            and not gif[position + 13]
        ):
            # Chromium expects the number of repetitions here, takes an empty sub-block for it, and reads on.
            position += 13
        return self._skip_sub_blocks(position + 1)

    def _skip_sub_blocks(self, position: int) -> int:
        """Return the offset behind the empty sub-block that ends a chain; IndexError where it never ends."""
        gif = self._gif
        for count in range(MAX_SUB_BLOCKS - self._sub_blocks):
            length = gif[position]
            position += length + 1
            if not length:
                self._sub_blocks += count
                return position
        raise GifTooLarge(
            "structure", allowed=MAX_SUB_BLOCKS, found=MAX_SUB_BLOCKS + 1, unit="sub-blocks", at_least=True
        )

    def _count_extension(self) -> None:
        if self._extensions == MAX_EXTENSIONS:
            raise GifTooLarge(
                "structure",
                allowed=MAX_EXTENSIONS,
                found=MAX_EXTENSIONS + 1,
                unit="extensions",
                at_least=True,
            )
        self._extensions += 1

    def _too_many(self, found: int, position: int) -> GifTooLarge:
        """Say how far over the limit of frames a GIF is, as far as the limits of blocks allow to count."""
        at_least = False
        try:
            while True:
                kind = self._gif[position]
                if kind == EXTENSION:
                    self._count_extension()
                    position = self._skip_extension(position + 1)
                elif kind == IMAGE:
                    _, position = _read_palette(self._gif, position + 10, self._gif[position + 9])
                    position = self._skip_sub_blocks(position + 1)
                    found += 1
                else:
                    break
        except GifTooLarge:
            at_least = True
        except IndexError:
            pass
        allowed = self._budget.max_frames
        return GifTooLarge(
            "animation", allowed=allowed, found=max(found, allowed + 1), unit="frames", at_least=at_least
        )


def _read_control(gif: bytes, position: int) -> tuple[_Control, int]:
    """Read a graphic control extension of exactly one sub-block, and the offset behind it."""
    if gif[position] != CONTROL_BYTES or gif[position + 1 + CONTROL_BYTES]:
        raise _BadBlockError
    flags = gif[position + 1]
    control = _Control(
        delay_ms=10 * (gif[position + 2] | gif[position + 3] << 8),
        disposal=_DISPOSALS[flags >> 2 & 7],
        transparent=gif[position + 4] if flags & 1 else None,
    )
    return control, position + 2 + CONTROL_BYTES
