"""Changes GIFs as reposts do, for the robustness table: GIF bytes to GIF bytes.

The changed GIF goes through the real decoder again. Every frame is rendered as a browser does, changed, and
written with its delay. The same file is changed in the same way each time.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.errors import CorruptGif
from services.preprocess import Budget, render_frames
from services.preprocess.formats import read
from services.preprocess.timeline import played_ms
from training.data.augment import Frames, with_border, with_caption, with_crop, with_tint

# The version of the changed GIFs, which cached clips of them are keyed by. Raise it when any of them changes;
# a golden test fails if it was not raised.
PERTURB_VERSION = 1

DEFAULT_BUDGET = Budget()

_LINES = (
    "WAIT WHAT",
    "THIS IS FINE",
    "NOT AGAIN",
    "WHEN IT IS MONDAY",
    "YES",
    "I CAN'T EVEN",
    "TELL ME MORE",
)


def mirrored(frames: Frames, rng: np.random.Generator) -> Frames:
    """Left and right swapped."""
    return np.ascontiguousarray(frames[:, :, ::-1])


def letterboxed(frames: Frames, rng: np.random.Generator) -> Frames:
    """Black bars of an eighth of the height, above and below."""
    return with_border(frames, max(1, frames.shape[1] // 8), 0, (0, 0, 0))


def captioned(frames: Frames, rng: np.random.Generator) -> Frames:
    """A line of text at the bottom, a tenth of the height."""
    return with_caption(frames, str(rng.choice(_LINES)), "bottom", frames.shape[1] / 10)


def tinted(frames: Frames, rng: np.random.Generator) -> Frames:
    """One channel a quarter stronger, one a fifth weaker, colours somewhat faded."""
    gain = rng.permutation([1.25, 1.0, 0.8])
    return with_tint(frames, gain, 1.0, 0.8)


def cropped(frames: Frames, rng: np.random.Generator) -> Frames:
    """Four fifths of each side, at a random place."""
    top, left = rng.uniform(0, 0.2, 2)
    return with_crop(frames, top, left, 0.8, 0.8)


def halved(frames: Frames, rng: np.random.Generator) -> Frames:
    """Half the size, to be encoded in 64 colours."""
    height, width = max(frames.shape[1] // 2, 1), max(frames.shape[2] // 2, 1)
    return np.stack(
        [np.asarray(Image.fromarray(f).resize((width, height), Image.Resampling.BILINEAR)) for f in frames]
    )


PERTURBATIONS: Mapping[str, Callable[[Frames, np.random.Generator], Frames]] = MappingProxyType(
    {
        "mirrored": mirrored,
        "letterboxed": letterboxed,
        "captioned": captioned,
        "tinted": tinted,
        "cropped": cropped,
        "re-encoded at half size": halved,
    }
)
_COLOURS = {"re-encoded at half size": 64}  # of 256


def perturb(gif: bytes, name: str, *, budget: Budget = DEFAULT_BUDGET) -> bytes:
    """Change a GIF as a repost would.

    Args:
        gif: the bytes of a GIF.
        name: one of `PERTURBATIONS`.
        budget: limits on the GIF, as for `decode_gif`.

    Returns:
        A GIF of the frames that are intact, each opaque, as rendered and with its delay; equal ones in a row
        become one.

    Raises:
        NotAGif, CorruptGif, GifTooLarge: as `decode_gif`.
        KeyError: no perturbation has that name.
    """
    change = PERTURBATIONS[name]
    seed = int.from_bytes(hashlib.sha256(name.encode() + gif).digest()[:8], "big")
    delays = [played_ms(frame.delay_ms) for frame in read(gif, budget).frames]
    images: list[Image.Image] = []
    for frame in _intact_frames(gif, len(delays), budget):
        # Frame by frame, so that a long GIF fits into memory, with the same random numbers for each.
        (changed,) = change(frame[np.newaxis], np.random.default_rng(seed))
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


def _intact_frames(gif: bytes, count: int, budget: Budget) -> Iterator[NDArray[np.uint8]]:
    """Frames as rendered on black, up to the first that is broken, where a browser stops too."""
    try:
        for canvas in render_frames(gif, range(count), budget=budget):
            yield canvas[..., :3]
    except CorruptGif:
        return
