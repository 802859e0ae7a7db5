"""Small videos, made by PyAV."""

from __future__ import annotations

import io

import av
import numpy as np

RED, GREEN = (250, 0, 0), (0, 250, 0)
KINDS = {
    "mp4": ("mp4", "libx264"),
    "webm": ("webm", "libvpx-vp9"),
    "vp8": ("webm", "libvpx"),
    "mpeg4": ("mp4", "mpeg4"),
}


def video(kind: str, *, frames: int = 20, size: tuple[int, int] = (64, 48), rate: int = 10) -> bytes:
    """Red for its first half, then green."""
    container, codec = KINDS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            pixels = np.full((size[1], size[0], 3), RED if index < frames // 2 else GREEN, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode())
    return file.getvalue()
