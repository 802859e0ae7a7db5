"""The clip on the wire: **Clip** <-> **gif_analyzer.v1.Clip**, and the source beside it."""

from __future__ import annotations

import numpy as np
from gif_analyzer.v1 import clip_pb2

from services.clip import CLIP_BYTES, CLIP_SHAPE, Clip, GifSource, check_clip
from services.errors import InvalidClip


def write_clip(clip: Clip, message: clip_pb2.Clip) -> None:
    """Write a clip into a message: in place, since its 1.5 MB would be copied once more with the message.

    Raises:
        InvalidClip: it breaks its contract; a message could not say in what way.
    """
    check_clip(clip)
    message.frames = clip.frames.tobytes()
    message.timestamps_ms[:] = clip.timestamps_ms


def read_clip(message: clip_pb2.Clip, source: GifSource | None = None) -> Clip:
    """Read a clip. Its frames are read-only: they are the message's own bytes.

    Raises:
        InvalidClip: the message breaks the contract of a clip.
    """
    frames = message.frames
    if len(frames) != CLIP_BYTES:
        raise InvalidClip("frames", expected=f"{CLIP_BYTES:,} bytes", found=f"{len(frames):,} bytes")
    clip = Clip(np.frombuffer(frames, np.uint8).reshape(CLIP_SHAPE), tuple(message.timestamps_ms), source)
    check_clip(clip)
    return clip


def write_source(source: GifSource, message: clip_pb2.GifSource) -> None:
    """Write what was read of a GIF into a message."""
    message.width, message.height = source.width, source.height
    message.frames = source.frames
    message.duration_ms = source.duration_ms
    message.size_bytes = source.size_bytes
    message.sha256 = source.sha256
    message.format = source.format
    message.content_width, message.content_height = source.content_width, source.content_height


def read_source(message: clip_pb2.GifSource) -> GifSource:
    """Read what was read of a GIF."""
    return GifSource(
        width=message.width,
        height=message.height,
        frames=message.frames,
        duration_ms=message.duration_ms,
        size_bytes=message.size_bytes,
        sha256=message.sha256,
        format=message.format,
        content_width=message.content_width,
        content_height=message.content_height,
    )
