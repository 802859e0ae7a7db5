"""Which frames of a clip are computed: **a clip, a rule** -> its first frames -> decided, or all -> **Look**.

Where the first frames leave little doubt the others are not computed. The rule stands in the model file,
with the threshold that training found on clips the model had not seen; docs/effort.md says how it was found
and what it saves.

A clip's logits are the mean of its frames' (such heads alone are exported with a rule), so that the
logarithms of the frames' probabilities, averaged, are the clip's but for a constant. What was computed of the
first frames is therefore not computed again: both parts together say what all ten at once would have said.

In the same way equal frames are computed once where the model gives `frame_familiarity`: a still image costs
one frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES
from services.inference.outputs import ModelOutputs
from services.inference.verdict import sigmoid

_STEP = 28  # of the pixels that are compared before whole frames are
_SMALLEST = 1e-30  # float32 holds 1e-38; below this a probability may have lost its digits, and its logarithm

Run = Callable[[NDArray[np.uint8]], ModelOutputs]


@dataclass(frozen=True)
class EarlyExit:
    """When the first frames decide.

    Attributes:
        frames: which of the ten are looked at first, 0..9, growing; at least one, not all.
        threshold: in 0..1; where they are at least so sure, see `Look.sure`, the others are not looked at.
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
        frames: which these are, in time; of frames that are equal, the first one stands for all.
        probabilities: of the clip, float32 [show].
        frame_probabilities: float32 [frame looked at, show].
        familiarity: as `ModelOutputs` has it.
        frame_familiarity: float32 [frame looked at]; None where the model does not say.
        embedding: float32 [dimension], the mean over the frames that were asked for; None where a clip was
            looked at in two parts.
        place: for each frame that was asked for, in time, where in `frames` the one is that stands for it.
    """

    frames: tuple[int, ...]
    probabilities: NDArray[np.float32]
    frame_probabilities: NDArray[np.float32]
    familiarity: float
    frame_familiarity: NDArray[np.float32] | None
    embedding: NDArray[np.float32] | None
    place: tuple[int, ...]

    @property
    def sure(self) -> float:
        """How probable the best show is; where the model says so, against "none of these" as well."""
        largest = float(self.probabilities.max())
        return largest if self.frame_familiarity is None else largest * sigmoid(self.familiarity)


def look(run: Run, frames: NDArray[np.uint8], rule: EarlyExit | None, *, distinct: bool = False) -> Look:
    """Look at a clip: at all of its frames where there is no rule, else at as many as it takes.

    Args:
        run: asks the model, clips uint8 [batch, frame, 224, 224, 3].
        frames: of one clip, uint8 [10, 224, 224, 3].
        rule: None for all frames at once.
        distinct: whether equal frames are computed once. It takes a model that gives `frame_familiarity` and
            takes any number of frames.
    """
    every = tuple(range(CLIP_FRAMES))
    same = first_equal(frames) if distinct else every
    if rule is None:
        return _look_at(run, frames, every, same)
    first = _look_at(run, frames, rule.frames, same)
    if first.sure >= rule.threshold:
        return first
    left = tuple(frame for frame in rule.rest if same[frame] not in first.frames)
    parts = [first, _look_at(run, frames, left, same)] if left else [first]
    seen = np.concatenate([part.frames for part in parts])
    order = np.argsort(seen)
    votes = np.concatenate([part.frame_probabilities for part in parts])[order]
    if votes.min() < _SMALLEST:
        return _look_at(run, frames, every, same)
    familiarities = [part.frame_familiarity for part in parts if part.frame_familiarity is not None]
    whole = tuple(seen[order].tolist())
    return _together(
        whole,
        votes,
        np.concatenate(familiarities)[order] if familiarities else None,
        None,
        tuple(whole.index(frame) for frame in same),
    )


def combine(
    frame_probabilities: NDArray[np.float32], counts: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """What frames say together: probabilities above 0, [..., frame, show], to those of the clip, [..., show].

    The softmax of mean logits: logarithms of probabilities are logits less a number of each frame, which the
    sum over the shows takes away again.

    Args:
        frame_probabilities: [..., frame, show], above 0.
        counts: how often each frame counts, [frame]; None counts each once.
    """
    logits = np.average(np.log(frame_probabilities.astype(np.float64)), axis=-2, weights=counts)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def combine_familiarity(
    frame_probabilities: NDArray[np.float32],
    frame_familiarity: NDArray[np.float32],
    counts: NDArray[np.float64] | None = None,
) -> float:
    """The familiarity of a clip, of what each frame says.

    A frame's familiarity is log sum exp of its shows' logits less the logit of "none of these". The clip's
    logits are the mean of its frames', so the same is computed of their mean.

    Args:
        frame_probabilities: [frame, show], above 0.
        frame_familiarity: [frame].
        counts: how often each frame counts, [frame]; None counts each once.
    """
    logits = np.average(np.log(frame_probabilities.astype(np.float64)), axis=0, weights=counts)
    none = -np.average(frame_familiarity.astype(np.float64), weights=counts)
    return float(logits.max() + np.log(np.exp(logits - logits.max()).sum()) - none)


def first_equal(frames: NDArray[np.uint8]) -> tuple[int, ...]:
    """For each frame the number of the first one that is equal to it.

    Args:
        frames: uint8 [frame, height, width, 3].
    """
    firsts: dict[bytes, list[int]] = {}
    same = []
    for number, frame in enumerate(frames):
        alike = firsts.setdefault(frame[::_STEP, ::_STEP].tobytes(), [])
        equal = next((first for first in alike if np.array_equal(frames[first], frame)), None)
        if equal is None:
            alike.append(number)
        same.append(number if equal is None else equal)
    return tuple(same)


def _look_at(run: Run, frames: NDArray[np.uint8], chosen: tuple[int, ...], same: tuple[int, ...]) -> Look:
    """Look at some frames of a clip; `same` names the frame that stands for each of the ten."""
    stand = tuple(same[frame] for frame in chosen)
    seen = tuple(sorted(set(stand)))
    place = tuple(seen.index(frame) for frame in stand)
    if len(seen) in (1, len(stand)):  # the mean of equal frames is each of them
        return _look_at_once(run, frames, seen, seen, place)
    outputs = run(frames[list(seen), np.newaxis])  # each a clip of one frame
    votes, familiar = outputs.probabilities, outputs.familiarity
    if votes.min() < _SMALLEST:
        return _look_at_once(run, frames, stand, seen, place)
    weighted = np.average(outputs.embedding.astype(np.float64), axis=0, weights=np.bincount(place))
    return _together(seen, votes, familiar, np.asarray(weighted, np.float32), place)


def _look_at_once(
    run: Run, frames: NDArray[np.uint8], shown: tuple[int, ...], seen: tuple[int, ...], place: tuple[int, ...]
) -> Look:
    """Look at frames as one clip: at each of `shown`, in which all of `seen` are."""
    outputs = run(frames[np.newaxis] if len(seen) == CLIP_FRAMES else frames[list(shown)][np.newaxis])
    at = [shown.index(frame) for frame in seen]
    familiar = outputs.frame_familiarity
    return Look(
        seen,
        outputs.probabilities[0],
        outputs.frame_probabilities[0, at],
        float(outputs.familiarity[0]),
        None if familiar is None else familiar[0, at],
        outputs.embedding[0],
        place,
    )


def _together(
    seen: tuple[int, ...],
    votes: NDArray[np.float32],
    familiarities: NDArray[np.float32] | None,
    embedding: NDArray[np.float32] | None,
    place: tuple[int, ...],
) -> Look:
    """The answer of a clip, put together from those of its frames."""
    counts = np.bincount(place).astype(np.float64)
    probabilities = combine(votes, counts)
    if familiarities is None:
        familiarity = float(probabilities.max())  # what a model that holds a rule and no more takes for it
    else:
        familiarity = combine_familiarity(votes, familiarities, counts)
    return Look(seen, probabilities, votes, familiarity, familiarities, embedding, place)
