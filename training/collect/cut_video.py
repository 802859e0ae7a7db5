"""A video one owns cut into GIFs: **video file** -> scenes or windows -> **GIFs and a manifest of them**.

Clips overlap and are framed in several ways, as people cut the same scene; all clips of one scene or window
form one group, so that no second of the video stands in two parts of a split. A shot that comes back makes
one group of its scenes.
"""

from __future__ import annotations

import io
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
from PIL import Image
from rich.console import Console

from services.errors import os_reason
from services.names import name_text
from services.preprocess import decode_gif
from training.collect.collection import MANIFEST, Entry, write_table
from training.collect.fingerprint import Fingerprint, fingerprint
from training.collect.grouping import group
from training.collect.scenes import find_scenes
from training.data.manifest import Row
from training.errors import InvalidOptions, InvalidVideo
from training.files import replacing

SHORTEST_S = 1.0  # a scene below this is left out: a flash, or a fade


@dataclass(frozen=True)
class Framing:
    """How much of the picture a GIF shows.

    Attributes:
        name: for the file's name.
        width: share of the picture's width, in 0..1, around the middle.
        height: share of the picture's height, in 0..1, around the middle.
        colours: of the GIF's palette, 2..256.
    """

    name: str
    width: float = 1.0
    height: float = 1.0
    colours: int = 256


# As people do it: the whole picture, a square, a close-up; with many colours and with few.
FRAMINGS = (
    Framing("whole"),
    Framing("square", width=9 / 16, colours=128),
    Framing("close", width=0.7, height=0.7, colours=64),
)


def cut_video(
    path: Path,
    show: str,
    out: Path,
    *,
    windows: Sequence[tuple[float, float]] | None = None,
    clip_s: float = 3.0,
    step_s: float = 2.0,
    fps: float = 10.0,
    height: int = 200,
    framings: Sequence[Framing] = FRAMINGS,
    console: Console | None = None,
) -> tuple[Row, ...]:
    """Cut a video into GIFs and write a manifest of them.

    Args:
        path: of a video that PyAV can read.
        show: title that the GIFs are of.
        out: folder for the GIFs and `manifest.csv`, made if missing; what it held under those names is
            replaced.
        windows: stretches to cut from, start and end in seconds; each is one group. None cuts every scene of
            a second at least, and scenes that look the same are one group.
        clip_s: length of a GIF, in seconds; a shorter scene gives a shorter one.
        step_s: from the start of one GIF to the start of the next, in seconds.
        fps: frames a second, at most 50, the fastest that browsers play.
        height: of the GIFs in pixels, before the framing takes its share of the width.
        framings: each gives a GIF of every stretch.
        console: shows how far the search for scenes is; None is silent.

    Returns:
        The rows of the manifest.

    Raises:
        InvalidOptions: a length, a rate or a window is out of its range, or a name is not UTF-8.
        InvalidVideo: the file cannot be read as a video, ends before a window does, or has no scene that is
            long enough.
    """
    for option, name in (("show", show), ("video", path.stem)):
        if name_text(name) != name:  # found out now, not when the manifest is written
            raise InvalidOptions(option, expected="a name in UTF-8", found=name_text(name))
    _check(windows, clip_s=clip_s, step_s=step_s, fps=fps, height=height, framings=len(framings))
    stretches = windows
    if stretches is None:
        shortest = max(SHORTEST_S, 1 / fps)
        scenes = find_scenes(path, console=console)
        stretches = [(start, end) for start, end in scenes if end - start >= shortest]
        if not stretches:
            raise InvalidVideo(str(path), f"it has no scene of {shortest:g} s at least")
    out.mkdir(parents=True, exist_ok=True)
    entries: list[Entry] = []
    prints: list[Fingerprint] = []
    for start, end in stretches:
        length = min(round(clip_s * fps), round((end - start) * fps))
        step = max(round(step_s * fps), 1)
        stretch = f"{path.stem}#{start:g}-{end:g}"
        for number, frames in enumerate(
            _clips(_frames(path, start, end, fps=fps, height=height), length, step)
        ):
            for framing in framings:
                name = f"{path.stem}-{start:g}-{number:02d}-{framing.name}"
                gif = _draw_gif(frames, framing, fps)
                with replacing(out / f"{name}.gif") as partial:
                    partial.write_bytes(gif)
                entry, look = _describe(gif, f"{name}.gif", show, path, stretch)
                entries.append(entry)
                prints.append(look)
    if windows is None:
        entries = list(group(entries, prints)[0])
    write_table(out / MANIFEST, Entry, entries)
    return tuple(Row(out / entry.path, show, entry.group, entry.source) for entry in entries)


def _check(
    windows: Sequence[tuple[float, float]] | None,
    *,
    clip_s: float,
    step_s: float,
    fps: float,
    height: int,
    framings: int,
) -> None:
    for ok, option, expected, found in (
        (windows is None or bool(windows), "windows", "at least one", "none"),
        (clip_s > 0, "clip_s", "above 0", clip_s),
        (step_s > 0, "step_s", "above 0", step_s),
        (0 < fps <= 50, "fps", "in 0..50", fps),
        (clip_s * fps >= 1, "clip_s", "as long as a frame at least", clip_s),
        (16 <= height <= 2160, "height", "in 16..2160", height),
        (framings > 0, "framings", "at least one", "none"),
    ):
        if not ok:
            raise InvalidOptions(option, expected=expected, found=str(found))
    for start, end in windows or ():
        if not 0 <= start < end or end - start < clip_s - 1e-9:
            raise InvalidOptions(
                "window", expected=f"START-END, {clip_s:g} s long at least", found=f"{start:g}-{end:g}"
            )
    for (_, end), (start, _) in itertools.pairwise(sorted(windows or ())):
        if start < end:
            raise InvalidOptions(
                "windows", expected="apart from each other", found=f"{start:g} before {end:g}"
            )


def _frames(path: Path, start: float, end: float, *, fps: float, height: int) -> Iterator[Image.Image]:
    """The frame shown at each instant from start on, every 1/fps seconds, before end."""
    instants = [start + number / fps for number in range(round((end - start) * fps))]
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InvalidVideo(str(path), "it has no pictures")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            if stream.time_base is not None and start > 0:
                container.seek(int(start / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.pts is None:
                    continue  # a frame without an instant cannot be placed
                while instants and frame.time >= instants[0] - 1e-6:
                    width = max(round(frame.width * height / frame.height), 1)
                    picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
                    yield picture.resize((width, height), Image.Resampling.LANCZOS)
                    instants.pop(0)
                if not instants:
                    return
    except (av.error.FFmpegError, OSError) as error:
        raise InvalidVideo(str(path), f"it cannot be read: {os_reason(error)}") from error
    if instants:
        raise InvalidVideo(str(path), f"it ends before second {instants[0]:.1f}")


def _clips(frames: Iterator[Image.Image], length: int, step: int) -> Iterator[tuple[Image.Image, ...]]:
    """Runs of so many frames, each starting a step behind the one before; no more is held than one run."""
    held: deque[Image.Image] = deque(maxlen=length)
    for number, frame in enumerate(frames, start=1):
        held.append(frame)
        if number >= length and (number - length) % step == 0:
            yield tuple(held)


def _draw_gif(frames: Sequence[Image.Image], framing: Framing, fps: float) -> bytes:
    images = []
    for frame in frames:
        across, down = frame.width * (1 - framing.width) / 2, frame.height * (1 - framing.height) / 2
        box = (round(across), round(down), round(frame.width - across), round(frame.height - down))
        images.append(frame.crop(box).quantize(framing.colours))
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=1000 / fps, loop=0)
    return file.getvalue()


def _describe(gif: bytes, name: str, show: str, video: Path, stretch: str) -> tuple[Entry, Fingerprint]:
    """What the manifest says of one GIF, and how it looks."""
    clip = decode_gif(gif)
    look = fingerprint(clip)
    assert clip.source is not None  # a clip made of a GIF says of which
    entry = Entry(
        path=name,
        id=f"video:{name.removesuffix('.gif')}",
        show=show,
        query="",
        address=stretch,
        username="",
        title=video.stem,
        sha256=clip.source.sha256,
        perceptual_hash=str(look),
        group=stretch,
        source=video.stem,
        size_bytes=clip.source.size_bytes,
        width=clip.source.width,
        height=clip.source.height,
        frames=clip.source.frames,
    )
    return entry, look
