"""Which GIFs are measured: **the shared footage, or examples and drawings** -> items with their facts.

Real ones answer how fast it is; two series of drawings, in which one thing grows and all else stays, answer
what it depends on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from benchmarks.environments import ROOT
from benchmarks.results import Item
from services.preprocess import Budget
from services.preprocess.formats import read
from training.files import replacing

REAL, BY_FRAMES, BY_SIZE = "real GIFs", "by frames", "by canvas"
FRAMES = (10, 25, 50, 100, 200)  # of drawings of 320 x 240 pixels
WIDTHS = (120, 240, 480, 960)  # pixels, of drawings of 30 frames, 4:3


def shared_folder() -> Path:
    """Where footage that may be measured but not passed on lies, if anywhere."""
    return Path(os.environ.get("GIFS_SHARED") or ROOT.parent / "shared")


def real_items(count: int, shared: Path) -> tuple[Item, ...]:
    """GIFs of shows and of the web, evenly over the names of both; the examples where there are none.

    A GIF goes by a number: footage is neither passed on nor named.
    """
    shows, web = (sorted(shared.glob(pattern)) for pattern in ("shows/*/*.gif", "corpus/web/*.gif"))
    chosen = [*_evenly(shows, count - min(count // 3, len(web))), *_evenly(web, count // 3)]
    if not chosen:
        return tuple(_item(path, REAL, path.name) for path in sorted((ROOT / "examples").glob("*.gif")))
    return tuple(_item(path, REAL, f"real {number}") for number, path in enumerate(chosen, 1))


def series_items(folder: Path, *, quick: bool) -> tuple[Item, ...]:
    """Drawings whose number of frames grows, and drawings whose canvas grows."""
    lengths, widths = (FRAMES[:2], WIDTHS[:2]) if quick else (FRAMES, WIDTHS)
    by_frames = [_drawn(folder, 320, frames, BY_FRAMES) for frames in lengths]
    return (*by_frames, *(_drawn(folder, width, 30, BY_SIZE) for width in widths))


def draw(path: Path, *, width: int, frames: int) -> None:
    """Write a GIF of a moving disc over waves of colour, 4:3: every frame changes most of its pixels."""
    height = width * 3 // 4
    pictures = [_picture(width, height, index / frames) for index in range(frames)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        pictures[0].save(
            partial, "GIF", save_all=True, append_images=pictures[1:], duration=100, loop=0, optimize=False
        )


def _picture(width: int, height: int, turn: float) -> Image.Image:
    def wave(phase: float) -> int:
        return round(127 + 120 * math.sin(2 * math.pi * phase))

    small = Image.new("RGB", (32, 24))
    small.putdata(
        [
            (wave(x / 32 + turn), wave(y / 24 - turn), wave((x + y) / 40 + 2 * turn))
            for y in range(24)
            for x in range(32)
        ]
    )
    picture = small.resize((width, height), Image.Resampling.BICUBIC)
    x, y = width * (0.5 + 0.3 * math.cos(2 * math.pi * turn)), height / 2
    ImageDraw.Draw(picture).ellipse((x - height / 6, y - height / 6, x + height / 6, y + height / 6), "white")
    return picture.quantize(64, dither=Image.Dither.FLOYDSTEINBERG)


def _drawn(folder: Path, width: int, frames: int, group: str) -> Item:
    path = folder / f"drawn-{width}x{width * 3 // 4}-{frames}.gif"
    if not path.is_file():
        draw(path, width=width, frames=frames)
    return _item(path, group, path.name)


def _item(path: Path, group: str, shown: str) -> Item:
    gif = path.read_bytes()
    container = read(gif, Budget())
    facts = {
        "width": container.width,
        "height": container.height,
        "frames": len(container.frames),
        "bytes": len(gif),
    }
    return Item(str(path), group, facts, shown)


def _evenly(paths: Sequence[Path], count: int) -> list[Path]:
    return [paths[index * len(paths) // count] for index in range(min(count, len(paths)))] if paths else []
