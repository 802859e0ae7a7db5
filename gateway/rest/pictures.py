"""The frames of a clip for people: **uint8 [10, 224, 224, 3]** -> **ten JPEG files**."""

from __future__ import annotations

import io

from PIL import Image

from services.clip import Clip

QUALITY = 80  # of JPEG, 1..95: about 10 KB a frame


def draw_pictures(clip: Clip) -> tuple[bytes, ...]:
    """Write each frame, as the model sees it, as a JPEG file of 224 x 224 pixels."""
    files = []
    for frame in clip.frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=QUALITY)
        files.append(file.getvalue())
    return tuple(files)
