"""Changes GIFs as reposts do, for the robustness table: GIF bytes to GIF bytes.

The changed GIF goes through the real decoder again. Every frame is rendered as a browser does, changed, and
written with its delay. The same file is changed in the same way each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image

from services.errors import CorruptGif
from services.preprocess import Budget, render_frames
from services.preprocess.formats import read
from services.preprocess.plan import played_ms
from training.data.augment import Frames, with_border, with_caption, with_crop, with_tint

# The version of the changed GIFs, which cached clips of them are keyed by. Raise it when any of them changes;
# a golden test fails if it was not raised.
PERTURB_VERSION = 1

_LINES = (
    "WAIT WHAT",
    "THIS IS FINE",
    "NOT AGAIN",
    "WHEN IT IS MONDAY",
    "YES",
    "I CAN'T EVEN",
    "TELL ME MORE",
)
_COLOURS = {"re-encoded at half size": 64}  # of 256


def _cropped(frames: Frames, rng: np.random.Generator) -> Frames:
    top, left = rng.uniform(0, 0.2, 2)
    return with_crop(frames, top, left, 0.8, 0.8)


def _halved(frames: Frames) -> Frames:
    size = max(frames.shape[2] // 2, 1), max(frames.shape[1] // 2, 1)
    images = [Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR) for frame in frames]
    return np.stack([np.asarray(image) for image in images])


# Frames uint8 [frame, height, width, 3] and a source of random numbers to changed frames. Letterboxed: black
# bars of an eighth of the height, above and below. Captioned: a line of text at the bottom, a tenth of the
# height. Tinted: one channel a quarter stronger, one a fifth weaker, colours somewhat faded. Cropped: four
# fifths of each side, at a random place.
PERTURBATIONS: Mapping[str, Callable[[Frames, np.random.Generator], Frames]] = MappingProxyType(
    {
        "mirrored": lambda frames, rng: np.ascontiguousarray(frames[:, :, ::-1]),
        "letterboxed": lambda frames, rng: with_border(frames, max(1, frames.shape[1] // 8), 0, (0, 0, 0)),
        "captioned": lambda frames, rng: with_caption(
            frames, str(rng.choice(_LINES)), "bottom", frames.shape[1] / 10
        ),
        "tinted": lambda frames, rng: with_tint(frames, rng.permutation([1.25, 1.0, 0.8]), 1.0, 0.8),
        "cropped": _cropped,
        "re-encoded at half size": lambda frames, rng: _halved(frames),
    }
)


def perturb(
    gif: bytes,
    name: str,
    *,
    changes: Mapping[str, Callable[[Frames, np.random.Generator], Frames]] = PERTURBATIONS,
) -> bytes:
    """Change a GIF as a repost would.

    Args:
        gif: the bytes of a GIF.
        name: a key of `changes`.
        changes: functions as those of `PERTURBATIONS`.

    Returns:
        A GIF of the frames that are intact, each opaque, as rendered and with its delay; equal ones in a row
        become one.

    Raises:
        NotAGif, CorruptGif, GifTooLarge: as `decode_gif`.
        KeyError: no change has that name.
    """
    change = changes[name]
    seed = int.from_bytes(hashlib.sha256(name.encode() + gif).digest()[:8], "big")
    delays = [played_ms(frame.delay_ms) for frame in read(gif, Budget()).frames]
    images: list[Image.Image] = []
    with contextlib.suppress(CorruptGif):  # a broken frame is the end, as in a browser
        for canvas in render_frames(gif, range(len(delays))):
            # Frame by frame, so that a long GIF fits into memory, with the same random numbers for each.
            (changed,) = change(canvas[np.newaxis, ..., :3], np.random.default_rng(seed))
            images.append(Image.fromarray(changed).quantize(_COLOURS.get(name, 256)))
    if not images:
        raise CorruptGif("not one frame is whole")
    file = io.BytesIO()
    images[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=images[1:],
        duration=delays[: len(images)] if len(images) > 1 else delays[0],
        loop=0,
        optimize=False,
    )
    return file.getvalue()
