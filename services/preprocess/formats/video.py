"""Reads the packets of an MP4 or a WebM into a `Container` of `VideoFrame`, with PyAV.

PyAV comes with the extra `video`. It uses FFmpeg, which allocates memory as a file claims. So the number of
samples in an MP4 is checked first, and the decoder gets a limit on the pixels of a frame.
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
REFERENCES = 4  # a decoder keeps up to 17 frames of 1.5 bytes a pixel; other formats keep one or two of 4
MIN_DELAY_MS = 11  # shorter delays would count as missing, as in GIFs
_DEMUXERS = {"mp4": "mp4", "webm": "matroska"}
_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex")  # which contain other boxes
_MAX_BOXES = 100_000


@dataclass(frozen=True)
class VideoFrame(PictureFrame):
    """One frame of a video.

    Attributes:
        pts: when it is shown, in units of the stream's time base; unique in the file.
        format: of the file.
    """

    pts: int
    format: str

    @property
    def cost_pixels(self) -> int:
        """Pixels to decode: those of the whole frame."""
        return self.rect.area

    def decode(self, data: bytes, backend: Backend) -> Canvas:
        """Decode it, together with all frames before it."""
        for _, pixels in _decode(data, self.format, [self]):
            return pixels
        raise BrokenDataError


class VideoContainer(Container):
    """A video. Decoding a frame takes decoding all frames before it."""

    frames: Sequence[VideoFrame]

    def cost_pixels(self, decoded: Collection[int], cleared: Collection[int] = ()) -> int:
        """Return the number of pixels of all frames up to the last one."""
        return (max(decoded, default=-1) + 1) * self.canvas.area

    def decode(self, indices: Iterable[int], backend: Backend, *, threads: int) -> Iterator[Decoded]:
        """Yield the pixels of these frames, whose indices increase, in one pass over the file."""
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
    """Read the packets of a file's first video stream.

    Raises:
        NotAGif: PyAV is not installed, or the codec is not supported.
        CorruptGif: no frame is complete.
        GifTooLarge: the canvas or the number of frames is over the budget.
    """
    kind = FORMATS[name]
    if not has_pyav():
        raise NotAGif(f"{'an' if kind == 'MP4' else 'a'} {kind} video, which needs the extra [video]")
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
    """Yield the index among the frames, and the pixels, of each that can be decoded, in order."""
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
    """Refuse an MP4 that claims too many samples, because FFmpeg allocates a list of all of them.

    Sound has samples too, about fifty a second. So ten times as many samples as frames are allowed.

    Raises:
        GifTooLarge: it claims more, or has too many boxes.
    """
    allowed, found, boxes = 10 * budget.max_frames, 0, 0
    waiting = [(0, len(data))]
    while waiting:
        position, end = waiting.pop()
        while position + 8 <= end:
            boxes += 1
            check_limit("structure", _MAX_BOXES, boxes, "boxes", at_least=True)
            start = position + 8
            length, kind = int.from_bytes(data[position : start - 4], "big"), data[start - 4 : start]
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
    """Return how many samples a box claims."""
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
    except ValueError:  # sys.modules has None for it
        return False
