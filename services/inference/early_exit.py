"""Some frames before the others: **a clip, a rule** -> its first frames -> decided, or all ten -> **Look**.

Where the first frames leave little doubt the others are not computed. The rule stands in the model file,
with the threshold that training found on clips the model had not seen; docs/effort.md says how it was found
and what it saves.

A clip's logits are the mean of its frames' (such heads alone are exported with a rule), so that the
logarithms of the frames' probabilities, averaged, are the clip's but for a constant. What was computed of the
first frames is therefore not computed again: both parts together say what all ten at once would have said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES
from services.inference.outputs import ModelOutputs

_SMALLEST = 1e-30  # float32 holds 1e-38; below this a probability may have lost its digits, and its logarithm

Run = Callable[[NDArray[np.uint8]], ModelOutputs]


@dataclass(frozen=True)
class EarlyExit:
    """When the first frames decide.

    Attributes:
        frames: which of the ten are looked at first, 0..9, growing; at least one, not all.
        threshold: in 0..1; where their largest probability reaches it, the others are not looked at.
    """

    frames: tuple[int, ...]
    threshold: float

    def __post_init__(self) -> None:
        """Hold both to what they say.

        Raises:
            ValueError: they are something else.
        """
        growing = tuple(sorted(set(self.frames)))
        if not 1 <= len(self.frames) < CLIP_FRAMES or self.frames != growing:
            raise ValueError(f"frames must grow, some of 0..{CLIP_FRAMES - 1} and not all: {self.frames}")
        if growing[0] < 0 or growing[-1] >= CLIP_FRAMES:
            raise ValueError(f"frames must lie in 0..{CLIP_FRAMES - 1}, they are {self.frames}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must lie in 0..1, it is {self.threshold}")

    @property
    def rest(self) -> tuple[int, ...]:
        """The frames that are looked at afterwards, if at all."""
        return tuple(frame for frame in range(CLIP_FRAMES) if frame not in self.frames)


@dataclass(frozen=True, eq=False)
class Look:
    """What the frames that were looked at say of one clip.

    Attributes:
        frames: which these are, in time.
        probabilities: of the clip, float32 [show].
        frame_probabilities: float32 [frame looked at, show].
        familiarity: as `ModelOutputs` has it.
    """

    frames: tuple[int, ...]
    probabilities: NDArray[np.float32]
    frame_probabilities: NDArray[np.float32]
    familiarity: float


def look(run: Run, frames: NDArray[np.uint8], rule: EarlyExit | None) -> Look:
    """Look at a clip: at all of its frames where there is no rule, else at as many as it takes.

    Args:
        run: asks the model, clips uint8 [batch, frame, 224, 224, 3].
        frames: of one clip, uint8 [10, 224, 224, 3].
        rule: None for all frames at once.
    """
    if rule is None:
        return _look_at(run, frames, tuple(range(CLIP_FRAMES)))
    first = _look_at(run, frames, rule.frames)
    if first.probabilities.max() >= rule.threshold:
        return first
    rest = _look_at(run, frames, rule.rest)
    votes = np.empty((CLIP_FRAMES, len(first.probabilities)), np.float32)
    votes[list(first.frames)], votes[list(rest.frames)] = first.frame_probabilities, rest.frame_probabilities
    if votes.min() < _SMALLEST:
        return look(run, frames, None)
    probabilities = combine(votes)
    # The head's familiarity is its largest probability, or it would not carry a rule.
    return Look(tuple(range(CLIP_FRAMES)), probabilities, votes, float(probabilities.max()))


def combine(frame_probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """What frames say together: probabilities above 0, [..., frame, show], to those of the clip, [..., show].

    The softmax of mean logits: logarithms of probabilities are logits less a number of each frame, which the
    sum over the shows takes away again.
    """
    logits = np.log(frame_probabilities.astype(np.float64)).mean(axis=-2)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def _look_at(run: Run, frames: NDArray[np.uint8], chosen: tuple[int, ...]) -> Look:
    outputs = run(frames[list(chosen)][np.newaxis] if len(chosen) < CLIP_FRAMES else frames[np.newaxis])
    return Look(
        chosen, outputs.probabilities[0], outputs.frame_probabilities[0], float(outputs.familiarity[0])
    )
