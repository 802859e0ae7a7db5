"""Draw GIFs of four invented shows, and write a manifest of them.

    python examples/draw_shows.py --out runs/drawn

Each show has its own style and several sources, which differ in tint. Each source has scenes, and each scene
is in two GIFs. With them every step of training can be tried without the footage of others.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIZE = 96, 72  # pixels
FRAMES = 6
SHOWS = {
    "Red Rings": (200, 40, 40),
    "Blue Bars": (40, 60, 210),
    "Green Grid": (30, 160, 60),
    "Violet Waves": (130, 50, 170),
}


def frame(show: str, at: int, tint: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Draw one picture in the style of a show, with its shapes moved by some pixels."""
    width, height = SIZE
    image = Image.new("RGB", SIZE, SHOWS[show])
    draw = ImageDraw.Draw(image)
    for step in range(0, width, 16):
        x = (step + at) % width
        if show == "Red Rings":
            draw.ellipse((x - 12, 20, x + 12, 44), outline="white", width=3)
        elif show == "Blue Bars":
            draw.rectangle((x, 0, x + 6, height), fill="yellow")
        elif show == "Green Grid":
            draw.line((x, 0, x, height), fill="black", width=2)
            draw.line((0, x % height, width, x % height), fill="black", width=2)
        else:
            wave = [(i, height / 2 + 20 * np.sin((i + x) / 9)) for i in range(width)]
            draw.line(wave, fill="orange", width=2)
    pixels = np.asarray(image) + tint + rng.integers(-18, 18, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def main() -> None:
    """Read the options, and write the GIFs of every show and their manifest."""
    parser = argparse.ArgumentParser(description="Draw GIFs of four invented shows, with a manifest.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the GIFs and manifest.csv")
    parser.add_argument("--sources", type=int, default=4, help="of each show")
    parser.add_argument("--scenes", type=int, default=2, help="of each source")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, show in enumerate(SHOWS):
        for source in range(options.sources):
            rng = np.random.default_rng([options.seed, number, source])
            tint = rng.integers(-30, 30, 3)
            for scene in range(options.scenes):
                begin = int(rng.integers(96))
                for look in range(2):
                    images = [frame(show, begin + 3 * at + look, tint, rng) for at in range(FRAMES)]
                    name = f"{show.lower().replace(' ', '-')}-{source}-{scene}-{look}.gif"
                    images[0].save(options.out / name, save_all=True, append_images=images[1:], duration=100)
                    publisher = f"{show} by {source}"
                    rows.append((name, show, f"{publisher}, scene {scene}", publisher))
    with (options.out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "show", "group", "source"))
        writer.writerows(rows)


if __name__ == "__main__":
    main()
