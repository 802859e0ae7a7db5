"""The packets of an MP4 or a WebM: **bytes** -> `scan` -> **Container** of frames, by PyAV.

PyAV comes with the extra `video`. FFmpeg, which it brings, allocates by what a file claims. So the number of
samples that an MP4 names is checked before, and the decoder is told how many pixels a frame may have.
"""

from __future__ import annotations

import importlib.util
import io
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.clip import FORMATS
from services.errors import CorruptGif, NotAGif
from services.preprocess.container import (
    PIXEL,
    BrokenDataError,
    BrokenFrameError,
    Budget,
    Container,
    Decoded,
    Disposal,
    Rect,
    check_limit,
)
from services.preprocess.formats.picture import PictureFrame

if TYPE_CHECKING:
    from services.preprocess.backend import Backend, Canvas

CODECS = ("av1", "h264", "hevc", "mpeg4", "vp8", "vp9")
REFERENCES = 4  # a decoder holds up to 17 frames of 1.5 bytes a pixel, where others hold one or two of 4
MIN_DELAY_MS = 11  # shorter delays are taken for missing ones, as in GIFs
_DEMUXERS = {"mp4": "mp4", "webm": "matroska"}
_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex")  # that hold other boxes
_MAX_BOXES = 100_000


@dataclass(frozen=True)
class VideoFrame(PictureFrame):
    """One frame of a video.

    Attributes:
        pts: when it is on show, in units of the stream's time base; it names the frame.
        format: of the file.
    """

    pts: int
    format: str

    @property
    def cost_pixels(self) -> int:
        """All of its own."""
        return self.rect.area

    def decode(self, data: bytes, backend: Backend) -> Canvas:
        """Decode it, and for that all frames before it."""
        for _, pixels in _decode(data, self.format, [self]):
            return pixels
        raise BrokenDataError


class VideoContainer(Container):
    """A video: a frame is decoded by going through all that come before it."""

    frames: Sequence[VideoFrame]

    def cost_pixels(self, decoded: Collection[int], cleared: Collection[int] = ()) -> int:
        """Count the pixels of all frames up to the last that is wanted."""
        return (max(decoded, default=-1) + 1) * self.canvas.area

    def decode(self, indices: Iterable[int], backend: Backend, *, threads: int) -> Iterator[Decoded]:
        """Yield the pixels of these frames, whose indices increase, in one go through the file."""
        wanted = list(indices)
        frames = [self.frames[index] for index in wanted]
        place = 0
        for position, pixels in _decode(self.data, self.format, frames):
            if position != place:
                break
            place += 1
            yield pixels
        if place < len(wanted):
            raise BrokenFrameError(wanted[place])


def scan(data: bytes, budget: Budget, *, name: str) -> Container:
    """Read the packets of a video's first stream of pictures.

    Raises:
        NotAGif: PyAV is not installed, or the file is compressed in a way that is not read.
        CorruptGif: no frame is whole.
        GifTooLarge: canvas or the number of frames is over the budget.
    """
    kind = FORMATS[name]
    if not has_pyav():
        raise NotAGif(f"{'an' if kind == 'MP4' else 'a'} {kind} video, which is read with the extra [video]")
    import av  # noqa: PLC0415 - an optional package

    if name == "mp4":
        _check_samples(data, budget)
    max_pixels = budget.max_canvas_pixels // REFERENCES
    try:
        with _open(data, name, budget.max_canvas_pixels) as container:
            stream = container.streams.video[0]
            codec = stream.codec_context
            codec_name = codec.name if codec else "an unknown codec"  # None where its tag is damaged
            if codec_name.removeprefix("lib") not in (*CODECS, "dav1d"):
                raise NotAGif(f"a video compressed by {codec_name}")
            width, height, base = codec.width, codec.height, stream.time_base
            check_limit("canvas", max_pixels, width * height, "pixels")
            shown: list[tuple[int, int]] = []
            for packet in container.demux(stream):
                if packet.pts is not None and packet.size:
                    check_limit("animation", budget.max_frames, len(shown) + 1, "frames", at_least=True)
                    shown.append((packet.pts, packet.duration or 0))
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise CorruptGif("not one frame is whole", kind=kind) from error
    shown.sort()
    if not shown or not width * height or base is None:
        raise CorruptGif("not one frame is whole", kind=kind)
    ends = [pts for pts, _ in shown[1:]] + [shown[-1][0] + shown[-1][1]]
    times = [round(1000 * (pts - shown[0][0]) * base) for pts in (shown[0][0], *ends)]
    rect = Rect(0, 0, width, height)
    frames = tuple(
        VideoFrame(rect, max(stop - start, MIN_DELAY_MS), Disposal.KEEP, None, False, pts, name)
        for (pts, _), start, stop in zip(shown, times, times[1:], strict=False)
    )
    return VideoContainer(name, data, width, height, frames)


def _open(data: bytes, name: str, max_pixels: int) -> Any:
    import av  # noqa: PLC0415 - an optional package

    options = {"max_pixels": str(max_pixels), "threads": "1"}
    return av.open(io.BytesIO(data), format=_DEMUXERS[name], options=options, metadata_errors="replace")


def _decode(data: bytes, name: str, frames: Collection[VideoFrame]) -> Iterator[tuple[int, Canvas]]:
    """Yield place among the frames, and pixels, of each that can be decoded, in their order."""
    import av  # noqa: PLC0415 - an optional package

    places = {frame.pts: place for place, frame in enumerate(frames)}
    if not places:
        return
    size = next(iter(frames)).rect.size
    try:
        with _open(data, name, size[0] * size[1]) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                place = places.get(frame.pts)
                if place is None:
                    continue
                if (frame.width, frame.height) != size:
                    return
                pixels = np.ascontiguousarray(frame.to_ndarray(format="rgba")).view(PIXEL)[..., 0]
                yield place, pixels
                if place == len(places) - 1:
                    return
    except (av.FFmpegError, IndexError, ValueError):
        return


def _check_samples(data: bytes, budget: Budget) -> None:
    """Refuse an MP4 that says it has more samples than frames are allowed: FFmpeg has a list of them all.

    Sound has samples, too, some fifty a second: so ten times the frames are let through.
    """
    allowed, found, boxes = 10 * budget.max_frames, 0, 0
    waiting = [(0, len(data))]
    while waiting:
        position, end = waiting.pop()
        while position + 8 <= end:
            boxes += 1
            check_limit("structure", _MAX_BOXES, boxes, "boxes", at_least=True)
            length, kind = (
                int.from_bytes(data[position : position + 4], "big"),
                data[position + 4 : position + 8],
            )
            start = position + 8
            if length == 1:
                length, start = int.from_bytes(data[start : start + 8], "big"), position + 16
            stop = end if length == 0 else min(position + length, end)
            if stop < start:
                break
            if kind in _BOXES:
                waiting.append((start, stop))
            found += _samples(kind, data[start : start + 12])
            check_limit("samples", allowed, found, "samples")
            position = stop


def _samples(kind: bytes, contents: bytes) -> int:
    """How many samples a box says there are."""
    if len(contents) < 12:
        return 0
    if kind in (b"stsz", b"stz2"):
        return int(struct.unpack(">I", contents[8:12])[0])
    if kind == b"trun":
        return int(struct.unpack(">I", contents[4:8])[0])
    return 0


def has_pyav() -> bool:
    """Whether PyAV is installed, without loading it."""
    try:
        return importlib.util.find_spec("av") is not None
    except ValueError:  # it was taken out of this process
        return False
