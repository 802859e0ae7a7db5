"""Augmentations: changes of a clip like those that people make before they share a GIF.

Each is a pure function of frames, uint8 [frame, height, width, 3], a generator and a strength in 0..1: 0
changes the frames little or not at all, and at 1 people still recognise them at a glance. Random values are
drawn once for a clip and apply to all its frames.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# The version of the augmentations. Raise it when any of them gives other frames than before: cached features
# are keyed by it. A golden test fails when the frames change and the version does not.
AUGMENT_VERSION = 1

Frames = NDArray[np.uint8]  # [frame, height, width, 3], RGB in 0..255
Side = Literal["top", "bottom"]


class Augmentation(Protocol):
    """A change of a clip; the shape stays."""

    def __call__(self, frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
        """Change the frames."""


def mirror(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Swap left and right, with a probability of half the strength."""
    return np.ascontiguousarray(frames[:, :, ::-1]) if rng.random() < strength / 2 else frames


def border(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Add bars above and below, at the sides, or all around, black or of one colour; the picture shrinks."""
    height, width = frames.shape[1:3]
    share = rng.uniform(0, 0.2 * strength)  # of a side, at either end
    kind = rng.choice(["letterbox", "pillarbox", "frame"])
    top = round(height * share) if kind != "pillarbox" else 0
    left = round(width * share) if kind != "letterbox" else 0
    colour = (0, 0, 0) if rng.random() < 0.5 else tuple(int(c) for c in rng.integers(0, 256, 3))
    return with_border(frames, top, left, colour)


def caption(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Write a line of text at the top or the bottom, white with a black outline, as in memes."""
    if strength <= 0:
        return frames
    length = int(rng.integers(4, 5 + round(20 * strength)))
    letters = rng.choice(list(string.ascii_uppercase + "    ',!?"), length)
    side: Side = "bottom" if rng.random() < 0.7 else "top"
    size = frames.shape[1] * rng.uniform(0.06, 0.06 + 0.06 * strength)
    return with_caption(frames, "".join(letters).strip() or "OK", side, size)


def tint(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Change colours as filters do: gain of each channel, gamma and saturation."""
    gain = np.exp(rng.normal(0, 0.15 * strength, 3))
    gamma = math.exp(rng.normal(0, 0.2 * strength))
    saturation = 1 + rng.uniform(-0.6, 0.4) * strength
    return with_tint(frames, gain, gamma, saturation)


def crop(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Enlarge a part of the picture to the whole, stretched a little."""
    area = rng.uniform(1 - 0.45 * strength, 1)
    aspect = math.exp(rng.uniform(-0.25, 0.25) * strength)
    height = min(1.0, math.sqrt(area / aspect))
    width = min(1.0, math.sqrt(area * aspect))
    top, left = rng.uniform(0, 1 - height), rng.uniform(0, 1 - width)
    return with_crop(frames, top, left, height, width)


def recompress(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Encode again: fewer colours with or without dither, perhaps at half the size."""
    colours = round(2 ** rng.uniform(8 - 3 * strength, 8))  # 32 to 256
    halve = bool(rng.random() < 0.5 * strength)
    dither = Image.Dither.FLOYDSTEINBERG if rng.random() < 0.5 else Image.Dither.NONE
    return with_palette(frames, colours, halve=halve, dither=dither)


def retime(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Show a shorter stretch of the clip, at a lower frame rate."""
    count = len(frames)
    span = count * rng.uniform(1 - 0.5 * strength, 1)
    start = rng.uniform(0, count - span)
    hold = rng.uniform(1, 1 + 2 * strength)  # instants that one picture stays
    instants = start + (np.arange(count) // hold * hold + 0.5) * span / count
    return np.ascontiguousarray(frames[np.clip(instants.astype(int), 0, count - 1)])


AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType(
    {
        "retime": retime,
        "crop": crop,
        "mirror": mirror,
        "tint": tint,
        "recompress": recompress,
        "border": border,
        "caption": caption,
    }
)

# Rough frequencies on the web: most GIFs are cropped and encoded again, few have borders.
_PROBABILITIES = {
    "retime": 0.5,
    "crop": 0.9,
    "mirror": 1.0,  # mirror itself changes half of the clips
    "tint": 0.8,
    "recompress": 0.4,
    "border": 0.15,
    "caption": 0.25,
}


def augment(frames: Frames, rng: np.random.Generator, strength: float = 1.0) -> Frames:
    """Apply a random selection of the augmentations, each as often as it is found on the web.

    Args:
        frames: uint8 [frame, height, width, 3].
        rng: the same generator state gives the same frames.
        strength: in 0..1; 0 changes nothing.

    Returns:
        uint8 of the same shape, C-contiguous.
    """
    if strength <= 0:
        return frames
    for name, change in AUGMENTATIONS.items():
        if rng.random() < _PROBABILITIES[name]:
            frames = change(frames, rng, strength)
    return np.ascontiguousarray(frames)


def with_border(frames: Frames, top: int, left: int, colour: tuple[int, ...]) -> Frames:
    """Shrink the picture and add bars of `top` pixels above and below and of `left` pixels at the sides."""
    if not top and not left:
        return frames
    height, width = frames.shape[1:3]
    inner = (max(width - 2 * left, 1), max(height - 2 * top, 1))
    out = np.empty_like(frames)
    out[:] = np.array(colour, np.uint8)
    for source, target in zip(frames, out, strict=True):
        small = Image.fromarray(source).resize(inner, Image.Resampling.BILINEAR)
        target[top : top + inner[1], left : left + inner[0]] = small
    return out


def with_caption(frames: Frames, text: str, side: Side, size: float) -> Frames:
    """Write one line of text, `size` pixels high, at an edge; smaller if it is too wide."""
    height, width = frames.shape[1:3]
    size = max(size, 6.0)
    font = ImageFont.load_default(size)
    length = font.getlength(text)
    if length > 0.95 * width:
        font = ImageFont.load_default(max(size * 0.95 * width / length, 4.0))
    place = (width / 2, 0.03 * height) if side == "top" else (width / 2, 0.97 * height)
    anchor = "ma" if side == "top" else "md"
    # White letters with a black outline, drawn once and laid over every frame.
    layer = Image.new("LA", (width, height))
    ImageDraw.Draw(layer).text(
        place, text, (255, 255), font, anchor, stroke_width=max(1, round(size / 14)), stroke_fill=(0, 255)
    )
    drawn = np.asarray(layer, np.uint16)
    ink, cover = drawn[..., :1], drawn[..., 1:]
    return ((frames * (255 - cover) + ink * cover + 127) // 255).astype(np.uint8)


def with_tint(frames: Frames, gain: NDArray[np.float64], gamma: float, saturation: float) -> Frames:
    """Mix with grey (saturation 0 is grey, 1 no change), then raise to gamma and multiply each channel."""
    # A table of 256 values for each channel is faster than a power for each pixel.
    levels = np.clip((np.arange(256)[:, None] / 255) ** gamma * gain, 0, 1) * 255
    table = np.rint(levels).astype(np.uint8)
    if saturation != 1:
        grey = frames @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
        mixed = grey[..., None] * np.float32(1 - saturation) + frames * np.float32(saturation)
        frames = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return np.stack([table[frames[..., channel], channel] for channel in range(3)], axis=-1)


def with_crop(frames: Frames, top: float, left: float, height: float, width: float) -> Frames:
    """Enlarge a part of the picture, in shares of its sides, to the whole."""
    rows, columns = frames.shape[1:3]
    box = (left * columns, top * rows, (left + width) * columns, (top + height) * rows)
    return np.stack(
        [
            np.asarray(Image.fromarray(frame).resize((columns, rows), Image.Resampling.BILINEAR, box=box))
            for frame in frames
        ]
    )


def with_palette(frames: Frames, colours: int, *, halve: bool, dither: Image.Dither) -> Frames:
    """Reduce each frame to a palette of its own; with `halve`, at half the size, then enlarge it again."""
    rows, columns = frames.shape[1:3]
    out = np.empty_like(frames)
    for source, target in zip(frames, out, strict=True):
        image = Image.fromarray(source)
        if halve:
            image = image.resize((max(columns // 2, 1), max(rows // 2, 1)), Image.Resampling.BILINEAR)
        palette = image.quantize(colours, Image.Quantize.FASTOCTREE)
        image = image.quantize(palette=palette, dither=dither).convert("RGB")
        target[:] = image.resize((columns, rows), Image.Resampling.BILINEAR) if halve else image
    return out
