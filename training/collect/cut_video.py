"""Cuts a video into GIFs, by scenes or by given windows, and writes a manifest of them.

Clips overlap and are framed in several ways, as people cut the same scene. All clips of one scene or window
are one group, so that no second of the video is in two parts of a split; scenes that look the same are one
group too.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import scenedetect
from PIL import Image
from rich.console import Console

from services.errors import os_reason
from services.files import replacing
from services.names import name_text
from services.preprocess import decode_gif
from training.collect.collection import MANIFEST, Entry, write_table
from training.collect.grouping import Fingerprint, fingerprint, group
from training.data.manifest import Row
from training.errors import InvalidOptions, InvalidVideo

SHORTEST_S = 1.0  # shorter scenes are left out: flashes and fades
STEP_S = 2.0  # from the start of one GIF to the start of the next


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
    fps: float = 10.0,
    height: int = 200,
    console: Console | None = None,
) -> tuple[Row, ...]:
    """Cut a video into GIFs and write a manifest of them.

    Args:
        path: of a video that PyAV can read.
        show: title that the GIFs are of.
        out: folder for the GIFs and `manifest.csv`, made if missing; files of the same names are replaced.
        windows: stretches to cut from, start and end in seconds; each is one group. None cuts every scene of
            at least a second.
        clip_s: length of a GIF, in seconds, at least one frame; a shorter scene gives a shorter one.
        fps: frames a second, above 0 and at most 50, the fastest that browsers play.
        height: of the GIFs in pixels, before framing, at least 1.
        console: shows the progress of the search for scenes; None is silent.

    Returns:
        The rows of the manifest.

    Raises:
        InvalidOptions: the length or a window is out of its range, or a name is not UTF-8.
        InvalidVideo: the file cannot be read as a video, ends before a window does, or has no scene that is
            long enough.
    """
    for option, name in (("show", show), ("video", path.stem)):
        if name_text(name) != name:  # found out now, not when the manifest is written
            raise InvalidOptions(option, expected="a name in UTF-8", found=name_text(name))
    _check(windows or (), clip_s=clip_s, fps=fps)
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
        step = max(round(STEP_S * fps), 1)
        clips = _clips(_frames(path, start, end, fps=fps, height=height), length, step)
        for number, frames in enumerate(clips):
            for framing in FRAMINGS:
                name = f"{path.stem}-{start:g}-{number:02d}-{framing.name}.gif"
                gif = _draw_gif(frames, framing, fps)
                with replacing(out / name) as partial:
                    partial.write_bytes(gif)
                entry, hashes = _describe(gif, name, show, path, f"{path.stem}#{start:g}-{end:g}")
                entry = dataclasses.replace(entry, start_ms=round(1000 * (start + number * step / fps)))
                entries.append(entry)
                prints.append(hashes)
    if windows is None:
        entries = list(group(entries, prints)[0])
    write_table(out / MANIFEST, Entry, entries)
    return tuple(
        Row(out / each.path, show, each.group, each.source, id=each.id, start_ms=each.start_ms or 0)
        for each in entries
    )


def find_scenes(path: Path, *, console: Console | None = None) -> tuple[tuple[float, float], ...]:
    """Find the scenes of a video with PySceneDetect.

    Its detector compares each frame with its neighbours, so a moving camera is no cut. It reads through PyAV,
    as `cut_video` does, so that both mean the same instants.

    Returns:
        Start and end of each scene in seconds. A scene ends one frame before the next begins: in this way,
        whatever the rounding, no frame is in two scenes.

    Raises:
        InvalidVideo: the file cannot be read as a video, or has no frames.
    """
    logging.getLogger("pyscenedetect").setLevel(logging.ERROR)
    console = console or Console(quiet=True)
    try:
        video = scenedetect.open_video(str(path), backend="pyav")
        manager = scenedetect.SceneManager()
        manager.add_detector(scenedetect.AdaptiveDetector())
        with console.status(f"looking for scenes in {path.name}") as status:
            manager.detect_scenes(
                video,
                callback=lambda _, at: status.update(f"looking for scenes in {path.name}: {at} so far"),
            )
        scenes = manager.get_scene_list(start_in_scene=True)
        frame_s = 1 / float(video.frame_rate)
    except (scenedetect.VideoOpenFailure, av.error.FFmpegError, OSError) as error:
        raise InvalidVideo(str(path), "it cannot be read as a video") from error
    if not scenes:
        raise InvalidVideo(str(path), "it has no pictures")
    return tuple((start.seconds, end.seconds - frame_s) for start, end in scenes)


def _check(windows: Sequence[tuple[float, float]], *, clip_s: float, fps: float) -> None:
    if clip_s * fps < 1:
        raise InvalidOptions("clip_s", expected="as long as a frame at least", found=str(clip_s))
    for start, end in windows:
        if not 0 <= start < end or end - start < clip_s - 1e-9:
            raise InvalidOptions(
                "window", expected=f"START-END, {clip_s:g} s long at least", found=f"{start:g}-{end:g}"
            )
    for (_, end), (start, _) in itertools.pairwise(sorted(windows)):
        if start < end:
            raise InvalidOptions(
                "windows", expected="apart from each other", found=f"{start:g} before {end:g}"
            )


def _frames(path: Path, start: float, end: float, *, fps: float, height: int) -> Iterator[Image.Image]:
    """Yield the frame shown every 1/fps seconds from start on, before end."""
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
                    continue  # a frame without a timestamp
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
    """Yield runs of `length` frames, one every `step` frames; only one run is in memory."""
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
    """Return the entry of one GIF, and its fingerprint."""
    clip = decode_gif(gif)
    hashes = fingerprint(clip)
    assert clip.source is not None  # decode_gif sets it
    entry = Entry(
        path=name,
        id=f"video:{name.removesuffix('.gif')}",
        show=show,
        query="",
        address=stretch,
        username="",
        title=video.stem,
        sha256=clip.source.sha256,
        perceptual_hash=str(hashes),
        group=stretch,
        source=video.stem,
        size_bytes=clip.source.size_bytes,
        width=clip.source.width,
        height=clip.source.height,
        frames=clip.source.frame_count,
    )
    return entry, hashes
