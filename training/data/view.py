"""Views of a clip: the frames that a model sees, such as mirrored, cropped or augmented ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES
from training.data import augment

CROPS = 5  # the centre and the corners, as in Krizhevsky et al., "ImageNet Classification" (NIPS 2012)
CROP_SHARE = 7 / 8  # of height and width: 196 of 224 pixels


@dataclass(frozen=True)
class View:
    """A deterministic change of a clip.

    Attributes:
        mirrored: whether left and right are swapped.
        draw: number of a random augmentation, from 1 on; 0 for none.
        strength: of the augmentation, 0..1.
        crop: 1 for the centre, 2..5 for the corners, enlarged to the whole picture; 0 for no crop.
    """

    mirrored: bool = False
    draw: int = 0
    strength: float = 1.0
    crop: int = 0

    @property
    def name(self) -> str:
        """A name for people."""
        if self.draw:
            return "augmented"
        return "mirrored" if self.mirrored else f"crop {self.crop}" if self.crop else "plain"

    @property
    def frames(self) -> int:
        """The number of frames: every other one of augmented views, of which there are many."""
        return CLIP_FRAMES // 2 if self.draw else CLIP_FRAMES

    def apply(self, frames: NDArray[np.uint8], digest: str) -> NDArray[np.uint8]:
        """Change a clip; the same GIF always gives the same frames.

        Args:
            frames: uint8 [10, height, width, 3].
            digest: of the GIF, hexadecimal; the seed of the augmentation.

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
    """Enlarge one of the five crops to the whole picture."""
    y, x = ((0.5, 0.5), (0, 0), (0, 1), (1, 0), (1, 1))[crop - 1]
    free = 1 - CROP_SHARE
    return augment.with_crop(frames, free * y, free * x, CROP_SHARE, CROP_SHARE)
