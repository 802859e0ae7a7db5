"""The frames of a clip for people: **uint8 [10, 224, 224, 3]** -> **JPEG files**."""

from __future__ import annotations

import io
from collections.abc import Iterable

from PIL import Image

from services.clip import Clip
from services.inference import FrameVote

QUALITY = 80  # of JPEG, 1..95: about 10 KB a frame


def draw_pictures(clip: Clip, votes: Iterable[FrameVote]) -> tuple[bytes, ...]:
    """Write the frame of each vote, as the model sees it, as a JPEG file of 224 x 224 pixels.

    Args:
        clip: of a GIF, so that each frame has an instant of its own.
        votes: for frames of this clip.
    """
    files = []
    for vote in votes:
        file = io.BytesIO()
        frame = clip.frames[clip.timestamps_ms.index(vote.timestamp_ms)]
        Image.fromarray(frame).save(file, "JPEG", quality=QUALITY)
        files.append(file.getvalue())
    return tuple(files)
