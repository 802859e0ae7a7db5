"""The clip on the wire: **Clip** <-> **gif_analyzer.v1.Clip**, and the source beside it."""

from __future__ import annotations

import numpy as np
from gif_analyzer.v1 import clip_pb2

from services.clip import CLIP_BYTES, CLIP_SHAPE, Clip, GifSource, check_clip
from services.errors import InvalidClip


def clip_to_message(clip: Clip) -> clip_pb2.Clip:
    """Write a clip.

    Raises:
        InvalidClip: it breaks its contract; a message could not say in what way.
    """
    check_clip(clip)
    return clip_pb2.Clip(frames=clip.frames.tobytes(), timestamps_ms=clip.timestamps_ms)


def clip_from_message(message: clip_pb2.Clip, source: GifSource | None = None) -> Clip:
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


def source_to_message(source: GifSource) -> clip_pb2.GifSource:
    """Write what was read of a GIF."""
    return clip_pb2.GifSource(
        width=source.width,
        height=source.height,
        frames=source.frames,
        duration_ms=source.duration_ms,
        size_bytes=source.size_bytes,
        sha256=source.sha256,
    )


def source_from_message(message: clip_pb2.GifSource) -> GifSource:
    """Read what was read of a GIF."""
    return GifSource(
        width=message.width,
        height=message.height,
        frames=message.frames,
        duration_ms=message.duration_ms,
        size_bytes=message.size_bytes,
        sha256=message.sha256,
    )
