"""Hypothesis strategies for small animations with every disposal, transparency and interlacing.

GIFs are generated as `Animation`, which knows what a browser shows; APNG and WebP as bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.gif_writer import COLOURS, Picture, show, write_gif
from tests.support.picture_writer import Part, write_apng, write_webp

SIDE = 7  # pixels of the largest canvas


@dataclass(frozen=True)
class Animation:
    """A GIF and what it shows."""

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
    """A frame for a canvas of this size: all of it, a part of it, or partly outside."""
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


@st.composite
def parts(draw: Callable[[st.SearchStrategy], object], width: int, height: int, *, first: bool) -> Part:
    """A frame of an APNG or a WebP within a canvas of this size, at even coordinates."""
    left = top = 0
    if not first and draw(st.booleans()):
        left, top = 2 * draw(st.integers(0, (width - 1) // 2)), 2 * draw(st.integers(0, (height - 1) // 2))
        width, height = draw(st.integers(1, width - left)), draw(st.integers(1, height - top))
    pixels = np.random.default_rng(draw(st.integers(0, 2**32))).integers(0, 256, (height, width, 4), np.uint8)
    if draw(st.booleans()):
        pixels[..., 3] = 255
    return Part(
        pixels,
        left,
        top,
        delay_ms=draw(st.sampled_from([0, 10, 20, 50, 300])),
        dispose=draw(st.integers(0, 2)),
        over=draw(st.booleans()),
    )


@st.composite
def apngs(draw: Callable[[st.SearchStrategy], object]) -> bytes:
    """An APNG of a few small frames, in full colour."""
    return write_apng(*draw(_canvases()))


@st.composite
def webps(draw: Callable[[st.SearchStrategy], object]) -> bytes:
    """An animated WebP of a few small frames, lossless or lossy."""
    width, height, frames = draw(_canvases())
    kept = [dataclasses.replace(frame, dispose=frame.dispose % 2) for frame in frames]
    return write_webp(width, height, kept, lossless=draw(st.booleans()))


@st.composite
def _canvases(draw: Callable[[st.SearchStrategy], object]) -> tuple[int, int, list[Part]]:
    width, height = draw(st.integers(1, SIDE)), draw(st.integers(1, SIDE))
    others = draw(st.lists(parts(width, height, first=False), max_size=12))
    return width, height, [draw(parts(width, height, first=True)), *others]
