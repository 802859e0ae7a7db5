"""Views of a clip: the frames that a model learns from, as they are, mirrored or augmented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES
from training.data import augment


@dataclass(frozen=True)
class View:
    """A deterministic change of a clip.

    Attributes:
        mirrored: whether left and right are swapped.
        draw: number of a random augmentation, from 1 on; 0 for none.
        strength: of the augmentation, 0..1.
    """

    mirrored: bool = False
    draw: int = 0
    strength: float = 1.0

    @property
    def name(self) -> str:
        """A name for people."""
        return "augmented" if self.draw else "mirrored" if self.mirrored else "plain"

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
        if self.draw:
            rng = np.random.default_rng([self.draw, int(digest[:16], 16)])
            frames = augment.augment(frames, rng, self.strength)[rng.integers(0, 2) :: 2]
        return np.ascontiguousarray(frames)


PLAIN = View()
MIRRORED = View(mirrored=True)
