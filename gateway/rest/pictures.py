"""The frames of a clip for people: **uint8 [10, 224, 224, 3]** -> **JPEG files** in the shape of the GIF."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable

from PIL import Image

from services.clip import CLIP_SIZE, Clip
from services.inference import FrameVote

QUALITY = 80  # of JPEG, 1..95: about 10 KB a frame


def draw_pictures(clip: Clip, votes: Iterable[FrameVote]) -> tuple[bytes, ...]:
    """Write the frame of each vote as a JPEG file.

    The model sees every frame squeezed to a square of 224 x 224 pixels. People get as many pixels in the
    shape of what the clip shows, which is the GIF without borders such as letterbox bars; in a square where
    the clip does not say which GIF it is of.

    Args:
        clip: of a GIF, so that each frame has an instant of its own.
        votes: for frames of this clip.
    """
    stretch = math.sqrt(clip.source.aspect_ratio) if clip.source else 1.0
    shape = max(round(CLIP_SIZE * stretch), 1), max(round(CLIP_SIZE / stretch), 1)
    files = []
    for vote in votes:
        file = io.BytesIO()
        frame = clip.frames[clip.timestamps_ms.index(vote.timestamp_ms)]
        Image.fromarray(frame).resize(shape).save(file, "JPEG", quality=QUALITY)
        files.append(file.getvalue())
    return tuple(files)
