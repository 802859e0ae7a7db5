"""Drawn scenes as GIFs: a seed gives a scene, which can be mirrored, captioned, trimmed or made smaller."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageOps

SIZE = (96, 72)


def scene_frames(seed: int, frames: int = 6) -> list[Image.Image]:
    """Frames of a scene: a picture of its own across which a light moves."""
    rng = np.random.default_rng(seed)
    colours = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    picture = colours.resize(SIZE, Image.Resampling.BICUBIC)
    shown = []
    for number in range(frames):
        frame = picture.copy()
        left = 8 + 10 * number
        ImageDraw.Draw(frame).ellipse((left, 20, left + 12, 32), fill="white")
        shown.append(frame)
    return shown


def write_scene(frames: Sequence[Image.Image], *, duration: int = 100, colours: int = 256) -> bytes:
    """A GIF of these frames."""
    first, *others = [frame.quantize(colours) for frame in frames]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=duration, loop=0)
    return file.getvalue()


def draw_scene(
    seed: int, *, mirrored: bool = False, captioned: bool = False, trimmed: bool = False, small: bool = False
) -> bytes:
    """A GIF of a scene, edited as reposted GIFs are."""
    frames = scene_frames(seed)
    if mirrored:
        frames = [ImageOps.mirror(frame) for frame in frames]
    if captioned:
        for frame in frames:
            ImageDraw.Draw(frame).text((20, 58), "WHAT?!", fill="white", stroke_width=1, stroke_fill="black")
    if trimmed:
        frames = frames[1:4]
    if small:
        frames = [frame.resize((48, 36)) for frame in frames]
    return write_scene(frames, duration=150 if trimmed else 100, colours=64 if small else 256)
