"""Draws GIFs of three shows, each in a style of its own, and writes their manifests."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {"Red Rings": (200, 40, 40), "Blue Bars": (40, 60, 210), "Green Grid": (30, 160, 60)}


def _frame(show: str, rng: np.random.Generator, shift: int) -> Image.Image:
    """A picture in the style of a show: its colour and its shapes, shifted."""
    image = Image.new("RGB", (64, 48), COLOURS[show])
    draw = ImageDraw.Draw(image)
    for step in range(0, 64, 12):
        at = (step + shift) % 64
        if show == "Red Rings":
            draw.ellipse((at, 10, at + 20, 30), outline="white", width=2)
        elif show == "Blue Bars":
            draw.rectangle((at, 0, at + 5, 48), fill="yellow")
        else:
            draw.line((at, 0, at, 48), fill="black")
            draw.line((0, at, 64, at), fill="black")
    noise = rng.integers(-20, 20, (48, 64, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def draw_gif(path: Path, show: str, seed: int, frames: int = 4) -> Path:
    """Write a small GIF in the style of a show; each seed gives another GIF."""
    rng = np.random.default_rng(seed)
    first, *others = [_frame(show, rng, 3 * number + seed) for number in range(frames)]
    path.parent.mkdir(parents=True, exist_ok=True)
    first.save(path, save_all=True, append_images=others, duration=100, loop=0)
    return path


def write_manifest(path: Path, lines: list[dict[str, str]]) -> Path:
    """Write a CSV file with the columns of the first line."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


def draw_shows(folder: Path, *, sources: int = 3, clips: int = 2) -> Path:
    """Draw GIFs of three shows, each show by several sources, and write their manifest."""
    lines = []
    for number, show in enumerate(COLOURS):
        for source in range(sources):
            for clip in range(clips):
                name = f"{show.replace(' ', '-')}-{source}-{clip}.gif"
                draw_gif(folder / name, show, seed=100 * number + 10 * source + clip)
                publisher = f"publisher-{number}-{source}"
                lines.append(
                    {"path": name, "show": show, "group": f"{publisher}#{clip}", "source": publisher}
                )
    return write_manifest(folder / "shows.csv", lines)
