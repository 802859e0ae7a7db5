# /// script
# requires-python = ">=3.11"
# dependencies = ["pillow==13.0.0"]
# ///
"""Make the example that the web page offers: `meadow.gif` of this folder -> a smaller one, under 110 kB.

    uv run examples/make_page_example.py

The same three seconds, five frames a second, so that a phone has them at once. README.md beside this file
says whose they are; the page says it too.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageSequence

HERE = Path(__file__).parent
SOURCE = HERE / "meadow.gif"
TARGET = HERE.parent / "gateway" / "rest" / "static" / "example.gif"
WIDTH, HEIGHT = 208, 117  # pixels, 16:9
STEP = 2  # every second frame
FRAME_MS = 200
COLOURS = 32


def main() -> None:
    """Read, reduce, write."""
    with Image.open(SOURCE) as gif:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(gif)][::STEP]
    images = [frame.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS) for frame in frames]
    # One palette made from every third frame at once: colours do not flicker from frame to frame.
    sample = images[::3]
    sheet = Image.new("RGB", (WIDTH, HEIGHT * len(sample)))
    for row, image in enumerate(sample):
        sheet.paste(image, (0, HEIGHT * row))
    palette = sheet.quantize(COLOURS)
    first, *others = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    first.save(TARGET, save_all=True, append_images=others, duration=FRAME_MS, loop=0, optimize=True)


if __name__ == "__main__":
    main()
