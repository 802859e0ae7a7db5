"""Draws GIFs that are of no show, as examples of what the model must not recognise.

They show one colour, gradients, noise, text, user interfaces, charts and tiny pictures. People send these
too, and footage of other shows does not teach a model to call them unknown. Each kind is a source of its own,
so that weights by source are equal for all kinds.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from services.files import replacing
from training.data.manifest import Row

# The version of the pictures. Raise it when any of them changes: it names the folder of the GIFs. A golden
# test fails when the pictures change and the version does not.
DRAWN_VERSION = 1
OF_EACH = 12  # GIFs of each kind
_FRAMES = 5
_WORDS = (
    *("the", "of", "and", "to", "you", "that", "was", "for", "with", "his", "they", "this", "have", "from"),
    *("word", "what", "some", "other", "were", "there", "when", "which", "their", "time", "about", "many"),
    *("write", "would", "these", "long", "make", "thing", "look", "more", "could", "go", "no", "way", "yes"),
)

Draw = Callable[[np.random.Generator], list[Image.Image]]
Colour = tuple[int, int, int]


def one_colour(rng: np.random.Generator) -> list[Image.Image]:
    """Frames of one colour: the same in all frames, perhaps black or white, or another in each frame."""
    size, first = _size(rng), [(0, 0, 0), (255, 255, 255), _colour(rng)][int(rng.integers(3))]
    colours = [_colour(rng) for _ in range(_FRAMES)] if rng.random() < 0.3 else [first]
    return [Image.new("RGB", size, colour) for colour in colours]


def gradients(rng: np.random.Generator) -> list[Image.Image]:
    """Two or three colours that blend into each other, in any direction, perhaps turning."""
    width, height = _size(rng)
    colours = np.array([_colour(rng) for _ in range(int(rng.integers(2, 4)))], float)
    angle, turn = rng.uniform(0, 2 * np.pi), rng.choice([0.0, 0.5])
    y, x = np.mgrid[0:height, 0:width]
    frames = []
    for number in range(_FRAMES):
        along = np.cos(angle + turn * number) * x / width + np.sin(angle + turn * number) * y / height
        along = (along - along.min()) / max(np.ptp(along), 1e-9) * (len(colours) - 1)
        pixels = np.stack(
            [np.interp(along, np.arange(len(colours)), colours[:, channel]) for channel in range(3)], axis=-1
        )
        frames.append(_image(pixels))
    return frames


def noise(rng: np.random.Generator) -> list[Image.Image]:
    """Random pixels, fine or coarse, in colour or grey, of high or low contrast."""
    width, height = _size(rng)
    grain, channels = int(rng.choice([1, 2, 4, 8, 24])), int(rng.choice([1, 3]))
    low, high = sorted(rng.integers(0, 256, 2)) if rng.random() < 0.5 else (0, 255)
    frames = []
    for _ in range(_FRAMES):
        coarse = rng.integers(low, high + 1, (-(-height // grain), -(-width // grain), channels))
        pixels = np.repeat(np.repeat(coarse, grain, 0), grain, 1)[:height, :width]
        frames.append(_image(np.broadcast_to(pixels, (height, width, 3))))
    return frames


def text_cards(rng: np.random.Generator) -> list[Image.Image]:
    """Lines of text on a plain background, perhaps appearing word by word."""
    width, height = _size(rng)
    ground, ink = _two_colours(rng)
    font = ImageFont.load_default(size=int(rng.integers(10, 40)))
    words = [str(word) for word in rng.choice(_WORDS, int(rng.integers(2, 30)))]
    if rng.random() < 0.4:
        words = [word.upper() for word in words]
    per_line, grows = int(rng.integers(1, 7)), rng.random() < 0.4
    left, top = rng.uniform(0, 0.2) * width, rng.uniform(0, 0.4) * height
    frames = []
    for number in range(_FRAMES):
        shown = words[: max(1, len(words) * (number + 1) // _FRAMES)] if grows else words
        lines = [" ".join(shown[start : start + per_line]) for start in range(0, len(shown), per_line)]
        image = Image.new("RGB", (width, height), ground)
        ImageDraw.Draw(image).multiline_text((left, top), "\n".join(lines), fill=ink, font=font)
        frames.append(image)
    return frames


def interfaces(rng: np.random.Generator) -> list[Image.Image]:
    """A window with a title bar, a list and a moving pointer; or a terminal with growing text."""
    width, height = _size(rng)
    ground, ink = ((24, 26, 30), (210, 220, 210)) if rng.random() < 0.5 else ((244, 245, 247), (40, 44, 52))
    accent, font = _colour(rng), ImageFont.load_default(size=int(rng.integers(9, 14)))
    lines = [" ".join(rng.choice(_WORDS, int(rng.integers(1, 8)))) for _ in range(30)]
    terminal, sidebar = rng.random() < 0.4, int(width * rng.uniform(0.15, 0.35))
    frames = []
    for number in range(_FRAMES):
        image = Image.new("RGB", (width, height), ground)
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 0, width, 16), fill=tuple(int(0.8 * c) for c in ground))
        for dot, colour in enumerate(((255, 95, 86), (255, 189, 46), (39, 201, 63))):
            draw.ellipse((6 + 12 * dot, 4, 14 + 12 * dot, 12), fill=colour)
        if terminal:
            for row, line in enumerate(lines[: 2 + 2 * number]):
                draw.text((6, 22 + 14 * row), f"$ {line}", fill=ink, font=font)
        else:
            draw.rectangle((0, 17, sidebar, height), fill=tuple(int(0.92 * c) for c in ground))
            for row, line in enumerate(lines[: height // 20]):
                draw.text((6, 22 + 20 * row), line[: sidebar // 7], fill=ink, font=font)
                draw.rectangle((sidebar + 10, 24 + 20 * row, width - 12, 36 + 20 * row), outline=ink)
            row = number + int(rng.integers(2))
            draw.rectangle((sidebar + 10, 24 + 20 * row, width - 12, 36 + 20 * row), fill=accent)
            x, y = sidebar + 20 + 9 * number, 30 + 20 * row
            draw.polygon(((x, y), (x + 8, y + 8), (x, y + 11)), fill="white", outline="black")
        frames.append(image)
    return frames


def charts(rng: np.random.Generator) -> list[Image.Image]:
    """A bar, line or pie chart on a plain background, growing from frame to frame."""
    width, height = _size(rng)
    ground, ink = _two_colours(rng)
    values = rng.uniform(0.1, 1, int(rng.integers(3, 12)))
    colours = [_colour(rng) for _ in values]
    kind = ("bars", "lines", "pie")[int(rng.integers(3))]
    left, bottom = 0.1 * width, 0.9 * height
    frames = []
    for number in range(_FRAMES):
        grown = values * (number + 1) / _FRAMES
        image = Image.new("RGB", (width, height), ground)
        draw = ImageDraw.Draw(image)
        if kind == "pie":
            ends = np.concatenate([[0], np.cumsum(values) / values.sum() * 360 * (number + 1) / _FRAMES])
            box = (width / 2 - 0.4 * height, 0.1 * height, width / 2 + 0.4 * height, 0.9 * height)
            for start, end, colour in zip(ends[:-1], ends[1:], colours, strict=True):
                draw.pieslice(box, start, end, fill=colour)
        else:
            step = (0.95 * width - left) / len(values)
            points = [
                (left + step * (place + 0.5), bottom - 0.75 * height * value)
                for place, value in enumerate(grown)
            ]
            for (x, y), colour in zip(points, colours, strict=True):
                if kind == "bars":
                    draw.rectangle((x - 0.4 * step, y, x + 0.4 * step, bottom), fill=colour)
                else:
                    draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colours[0])
            if kind == "lines":
                draw.line(points, fill=colours[0], width=2)
            draw.line(((left, 0.1 * height), (left, bottom), (0.95 * width, bottom)), fill=ink, width=1)
        frames.append(image)
    return frames


def tiny_pictures(rng: np.random.Generator) -> list[Image.Image]:
    """A few pixels of any colours, such as icons and spacers, as small as one pixel."""
    width, height = int(rng.integers(1, 20)), int(rng.integers(1, 20))
    return [_image(rng.integers(0, 256, (height, width, 3))) for _ in range(_FRAMES)]


KINDS: Mapping[str, Draw] = MappingProxyType(
    {
        "one colour": one_colour,
        "gradients": gradients,
        "noise": noise,
        "text cards": text_cards,
        "interfaces": interfaces,
        "charts": charts,
        "tiny pictures": tiny_pictures,
    }
)


def draw_gifs(folder: Path, *, of_each: int = OF_EACH, seed: int = 0) -> tuple[Row, ...]:
    """Draw GIFs of every kind; those that exist already are not drawn again.

    Args:
        folder: gets a subfolder for this version and seed.
        of_each: GIFs of each kind.
        seed: of the random choices.
    """
    home = folder / f"drawn-{DRAWN_VERSION}-{seed}"
    home.mkdir(parents=True, exist_ok=True)
    rows = []
    for place, (kind, draw) in enumerate(KINDS.items()):
        for number in range(of_each):
            path = home / f"{kind.replace(' ', '-')}-{number:03d}.gif"
            if not path.exists():
                first, *others = draw(np.random.default_rng([seed, place, number]))
                with replacing(path) as partial:
                    first.save(partial, "GIF", save_all=True, append_images=others, duration=100, loop=0)
            rows.append(Row(path, kind, f"drawn {kind} {seed} {number}", f"drawn {kind}", other=True))
    return tuple(rows)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    """Width and height in pixels."""
    return int(rng.integers(120, 320)), int(rng.integers(100, 200))


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.random(), rng.uniform(0.1, 1))
    return round(255 * red), round(255 * green), round(255 * blue)


def _two_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """A background, and black or white text that is readable on it."""
    ground = _colour(rng) if rng.random() < 0.5 else [(255, 255, 255), (0, 0, 0)][int(rng.integers(2))]
    return ground, ((0, 0, 0) if sum(ground) > 380 else (255, 255, 255))


def _image(pixels: NDArray[np.float64] | NDArray[np.int64]) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGB")
