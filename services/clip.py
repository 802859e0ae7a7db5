"""The clip: the tensor that `services.preprocess` creates from a GIF and `services.inference` classifies."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.errors import InvalidClip

CLIP_FRAMES = 10  # instants sampled from a GIF, at the middle of ten equal parts of its duration
CLIP_SIZE = 224  # pixels, height and width of a frame
CLIP_CHANNELS = 3  # red, green, blue
CLIP_SHAPE = (CLIP_FRAMES, CLIP_SIZE, CLIP_SIZE, CLIP_CHANNELS)
CLIP_BYTES = CLIP_FRAMES * CLIP_SIZE * CLIP_SIZE * CLIP_CHANNELS  # 1_505_280 bytes

# The supported formats: the name in answers, and the usual spelling.
FORMATS = {
    "gif": "GIF",
    "webp": "WebP",
    "png": "PNG",
    "apng": "APNG",
    "jpeg": "JPEG",
    "mp4": "MP4",
    "webm": "WebM",
}


@dataclass(frozen=True)
class GifSource:
    """The file that a clip was made from.

    Attributes:
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.
        frame_count: number of whole frames, at least 1.
        duration_ms: of one run through the frames in a browser, in milliseconds.
        size_bytes: length of the file.
        sha256: digest of the file's bytes, 64 lower-case hexadecimal digits.
        format: a key of `FORMATS`; "" from an older service, which does not send it.
        content_width: of the part of the canvas that the clip shows, without borders of one colour, in
            pixels; 0 from an older service.
        content_height: of that part, in pixels; 0 from an older service.
    """

    width: int
    height: int
    frame_count: int
    duration_ms: int
    size_bytes: int
    sha256: str
    format: str = ""
    content_width: int = 0
    content_height: int = 0

    @property
    def aspect_ratio(self) -> float:
        """Width / height of what the clip shows; of the whole canvas where its borders are not known."""
        if self.content_width and self.content_height:
            return self.content_width / self.content_height
        return self.width / self.height


@dataclass(frozen=True, eq=False)
class Clip:
    """Ten frames of one GIF, the input of a model.

    Attributes:
        frames: uint8 [10, 224, 224, 3], RGB in 0..255, C-contiguous.
        timestamps_ms: the instant of each frame, in milliseconds from the start, never decreasing.
        source: the file it was made from; None if it was not made from a file.
    """

    frames: NDArray[np.uint8]
    timestamps_ms: tuple[int, ...]
    source: GifSource | None = None


def check_clip(clip: Clip) -> None:
    """Check that a clip fits the description of `Clip`.

    Raises:
        InvalidClip: names the field, and what was expected and found.
    """
    frames, times = clip.frames, clip.timestamps_ms
    if frames.dtype != np.uint8:
        raise InvalidClip("frames", expected="uint8", found=str(frames.dtype))
    if frames.shape != CLIP_SHAPE:
        raise InvalidClip("frames", expected=f"shape {CLIP_SHAPE}", found=f"shape {frames.shape}")
    if not frames.flags.c_contiguous:
        raise InvalidClip("frames", expected="C-contiguous memory", found="strided memory")
    if len(times) != CLIP_FRAMES:
        raise InvalidClip("timestamps_ms", expected=f"{CLIP_FRAMES} instants", found=f"{len(times)}")
    if times[0] < 0 or any(later < earlier for earlier, later in itertools.pairwise(times)):
        raise InvalidClip("timestamps_ms", expected="instants that never decrease", found=str(times))
