"""GIFs to measure with: real ones, drawn ones, and copies that differ only in a comment."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from benchmarks import EXAMPLES, ROOT
from services.files import replacing


def shared_folder() -> Path:
    """Return the folder of footage that may be measured but not passed on; it may not exist."""
    return Path(os.environ.get("GIFS_SHARED") or ROOT.parent / "shared")


def real_gifs(count: int) -> dict[str, Path]:
    """Return up to `count` GIFs by label: two thirds of shows, a third of the web, or else the examples.

    The label of footage is a number, because footage is neither passed on nor named.
    """
    shared = shared_folder()
    shows, web = (sorted(shared.glob(pattern)) for pattern in ("shows/*/*.gif", "corpus/web/*.gif"))
    chosen = [*_evenly(shows, count - min(count // 3, len(web))), *_evenly(web, count // 3)]
    if not chosen:
        return {path.name: path for path in sorted(EXAMPLES.glob("*.gif"))}
    return {f"real {number}": path for number, path in enumerate(chosen, 1)}


def with_comment(gif: bytes, comment: str) -> bytes:
    """Return the same pictures in other bytes: with a comment, at most 255 ASCII characters, at the end."""
    text = comment.encode("ascii")[:255]
    # Some GIFs lack the trailer, ";". Decoders accept that.
    return gif.removesuffix(b";") + b"!\xfe" + bytes([len(text)]) + text + b"\0;"


def draw(path: Path, *, width: int, frames: int) -> None:
    """Write a GIF, 4:3, of a disc that moves over waves of colour: every frame changes most of its pixels."""
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


def _evenly(paths: Sequence[Path], count: int) -> list[Path]:
    return [paths[index * len(paths) // count] for index in range(min(count, len(paths)))] if paths else []
