"""Generated animations: all disposals, transparency, local palettes, interlace, offsets off the canvas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.gif_writer import COLOURS, Picture, show, write_gif

SIDE = 7  # pixels, of the largest canvas


@dataclass(frozen=True)
class Animation:
    """What a GIF is written from."""

    width: int
    height: int
    pictures: tuple[Picture, ...]

    @property
    def gif(self) -> bytes:
        """The bytes of the GIF."""
        return write_gif(self.width, self.height, self.pictures)

    def shown(self) -> list[NDArray[np.uint8]]:
        """What a browser shows for each frame: uint8 [height, width, 4] RGBA."""
        return show(self.width, self.height, self.pictures)


@st.composite
def pictures(draw: Callable[[st.SearchStrategy], object], width: int, height: int) -> Picture:
    """A frame for a canvas of this size: often all of it, or a part, sometimes outside."""
    if draw(st.integers(0, 2)) == 0:
        left, top = 0, 0
    else:
        left, top = draw(st.integers(0, width + 1)), draw(st.integers(0, height + 1))
        width, height = draw(st.integers(1, SIDE)), draw(st.integers(1, SIDE))
    if draw(st.booleans()):
        pixels = np.full((height, width), draw(st.integers(0, 7)), np.uint8)
    else:
        noise = draw(st.binary(min_size=width * height, max_size=width * height))
        pixels = np.frombuffer(noise, np.uint8).reshape(height, width) % 8
    return Picture(
        pixels,
        left=left,
        top=top,
        delay_cs=draw(st.sampled_from([0, 1, 2, 5, 30])),
        disposal=draw(st.sampled_from([0, 1, 1, 2, 2, 3, 3, 4, 7])),
        transparent=draw(st.sampled_from([None, None, 0, 1, 2, 7, 200])),
        palette=draw(st.sampled_from([None, None, bytes(reversed(COLOURS))])),
        interlaced=draw(st.booleans()),
    )


@st.composite
def animations(draw: Callable[[st.SearchStrategy], object], max_frames: int = 14) -> Animation:
    """A GIF of a few small frames."""
    width, height = draw(st.integers(1, SIDE)), draw(st.integers(1, SIDE))
    frames = draw(st.lists(pictures(width, height), min_size=1, max_size=max_frames))
    return Animation(width, height, tuple(frames))
