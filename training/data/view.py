"""Ways to look at a clip: **frames, the GIF's digest** -> View -> **frames**, the same each time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.clip import CLIP_FRAMES
from training.data import augment

CROPS = 5  # the centre and the corners, as Krizhevsky et al. looked at test pictures (AlexNet, NIPS 2012)
CROP_SHARE = 7 / 8  # of height and width: 196 of 224 pixels


@dataclass(frozen=True)
class View:
    """A way to look at a clip.

    Attributes:
        mirrored: left and right swapped.
        draw: number of an augmentation, from 1 on; 0 leaves the clip as it is.
        strength: of the augmentation, 0..1.
        crop: 1 is the centre, 2..5 are the corners, enlarged to the whole; 0 is the whole.
    """

    mirrored: bool = False
    draw: int = 0
    strength: float = 1.0
    crop: int = 0

    @property
    def name(self) -> str:
        """For people."""
        if self.draw:
            return "augmented"
        return "mirrored" if self.mirrored else f"crop {self.crop}" if self.crop else "plain"

    @property
    def frames(self) -> int:
        """How many frames are looked at: every other one where there are many views of the clip."""
        return CLIP_FRAMES // 2 if self.draw else CLIP_FRAMES

    def apply(self, frames: NDArray[np.uint8], digest: str) -> NDArray[np.uint8]:
        """Look at a clip; the same GIF looks the same each time.

        Args:
            frames: uint8 [10, height, width, 3].
            digest: of the GIF, hexadecimal: what the augmentation is drawn from.

        Returns:
            uint8 [10 or 5, height, width, 3].
        """
        if self.mirrored:
            frames = frames[:, :, ::-1]
        if self.crop:
            frames = _crop(frames, self.crop)
        if self.draw:
            rng = np.random.default_rng([self.draw, int(digest[:16], 16)])
            frames = augment.augment(frames, rng, self.strength)[rng.integers(0, 2) :: 2]
        return np.ascontiguousarray(frames)


PLAIN = View()
MIRRORED = View(mirrored=True)


def _crop(frames: NDArray[np.uint8], crop: int) -> NDArray[np.uint8]:
    """Cut one of the five crops out of all frames, and enlarge it to their size."""
    height, width = frames.shape[1:3]
    free_y, free_x = height * (1 - CROP_SHARE), width * (1 - CROP_SHARE)
    y, x = ((0.5, 0.5), (0, 0), (0, 1), (1, 0), (1, 1))[crop - 1]
    left, top = free_x * x, free_y * y
    box = (left, top, left + width - free_x, top + height - free_y)
    return np.stack(
        [
            np.asarray(Image.fromarray(f).resize((width, height), Image.Resampling.BILINEAR, box=box))
            for f in frames
        ]
    )
