"""Runs the model on the frames of one clip that are needed, and combines the results.

With an early exit, the first frames are computed, and the others only if these leave doubt. The rule for that
is part of the model file, with a threshold found on clips that the model did not learn from; see
docs/effort.md.

The logits of a clip are the mean of its frames' logits; only these are exported with a rule. So the mean
of the logarithms of the frames' probabilities equals the clip's logits up to a constant. Therefore the
results of the first frames are kept: combined with those of the others, they give what all ten at once would
give.

In the same way, equal frames are computed once if the model has the output `frame_familiarity`: a still image
costs one frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES
from services.inference.prediction import sigmoid

_STEP = 28  # pixels between those that are compared before whole frames are
# float32 goes down to 1e-38. A smaller probability than this may have lost digits, and so its logarithm.
_SMALLEST = 1e-30


@dataclass(frozen=True, eq=False)
class ModelOutputs:
    """The outputs of a model for a batch of clips.

    Attributes:
        probabilities: float32 [batch, show], calibrated, each row with sum 1.
        frame_probabilities: float32 [batch, frame, show], each row with sum 1.
        embedding: float32 [batch, dimension].
        familiarity: float32 [batch], larger is more like the training data; a clip below
            `Classifier.threshold` is unknown.
        frame_familiarity: float32 [batch, frame], of each frame by itself; None if the model has no such
            output. A model that has it takes the mean of its frames' logits, so that results for some frames
            can be combined with results for others.
    """

    probabilities: NDArray[np.float32]
    frame_probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]
    familiarity: NDArray[np.float32]
    frame_familiarity: NDArray[np.float32] | None = None


Run = Callable[[NDArray[np.uint8]], ModelOutputs]


@dataclass(frozen=True)
class EarlyExit:
    """The rule by which the first frames decide.

    Attributes:
        frames: indices of the frames to compute first, 0..9, increasing; at least one, not all.
        threshold: 0..1; if `Scores.confidence` reaches it, the other frames are not computed.
    """

    frames: tuple[int, ...]
    threshold: float

    def __post_init__(self) -> None:
        """Check both.

        Raises:
            ValueError: one of them does not fit the description above.
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
        """Indices of the frames that are computed afterwards, if at all."""
        return tuple(frame for frame in range(CLIP_FRAMES) if frame not in self.frames)


@dataclass(frozen=True, eq=False)
class Scores:
    """The model's results for one clip.

    Attributes:
        frames: indices of the frames that were computed, increasing; the first of several equal frames.
        probabilities: of the clip, float32 [show].
        frame_probabilities: float32 [computed frame, show].
        familiarity: of the clip, see `ModelOutputs`.
        frame_familiarity: float32 [computed frame]; None if the model has no such output.
        embedding: float32 [dimension], the mean over the requested frames; None if the clip was computed in
            two parts.
        rows: for each requested frame, its index among the computed frames.
    """

    frames: tuple[int, ...]
    probabilities: NDArray[np.float32]
    frame_probabilities: NDArray[np.float32]
    familiarity: float
    frame_familiarity: NDArray[np.float32] | None
    embedding: NDArray[np.float32] | None
    rows: tuple[int, ...]

    @property
    def confidence(self) -> float:
        """Probability of the best show, also against "none of these" if the model has `frame_familiarity`."""
        largest = float(self.probabilities.max())
        return largest if self.frame_familiarity is None else largest * sigmoid(self.familiarity)


def score(run: Run, frames: NDArray[np.uint8], rule: EarlyExit | None, *, distinct: bool = False) -> Scores:
    """Run the model on one clip: on all frames at once, or on as many as the rule needs.

    Args:
        run: runs the model on clips, uint8 [batch, frame, 224, 224, 3].
        frames: of one clip, uint8 [10, 224, 224, 3].
        rule: None for all frames at once.
        distinct: whether to compute equal frames once. The model must have the output `frame_familiarity` and
            accept any number of frames.
    """
    every = tuple(range(CLIP_FRAMES))
    same = first_equal(frames) if distinct else every
    if rule is None:
        return _score_frames(run, frames, every, same)
    first = _score_frames(run, frames, rule.frames, same)
    if first.confidence >= rule.threshold:
        return first
    left = tuple(frame for frame in rule.rest if same[frame] not in first.frames)
    parts = [first, _score_frames(run, frames, left, same)] if left else [first]
    computed = np.concatenate([part.frames for part in parts])
    order = np.argsort(computed)
    votes = np.concatenate([part.frame_probabilities for part in parts])[order]
    if votes.min() < _SMALLEST:
        return _score_frames(run, frames, every, same)
    familiarities = [part.frame_familiarity for part in parts if part.frame_familiarity is not None]
    whole = tuple(computed[order].tolist())
    return _combined(
        whole,
        votes,
        np.concatenate(familiarities)[order] if familiarities else None,
        None,
        tuple(whole.index(frame) for frame in same),
    )


def combine(
    frame_probabilities: NDArray[np.float32], counts: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Combine the probabilities of frames, [..., frame, show], to those of the clip, [..., show].

    This is the softmax of the mean logits. Logarithms of probabilities are logits minus a number for each
    frame, which the normalisation over the shows removes again.

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
    """Combine the familiarities of frames to that of the clip.

    The familiarity of a frame is the log-sum-exp of its shows' logits minus the logit of "none of these". The
    logits of the clip are the mean of its frames' logits, so the same formula is applied to that mean.

    Args:
        frame_probabilities: [frame, show], above 0.
        frame_familiarity: [frame].
        counts: how often each frame counts, [frame]; None counts each once.
    """
    logits = np.average(np.log(frame_probabilities.astype(np.float64)), axis=0, weights=counts)
    none = -np.average(frame_familiarity.astype(np.float64), weights=counts)
    return float(logits.max() + np.log(np.exp(logits - logits.max()).sum()) - none)


def first_equal(frames: NDArray[np.uint8]) -> tuple[int, ...]:
    """For each frame, return the index of the first frame that equals it.

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


def _score_frames(
    run: Run, frames: NDArray[np.uint8], chosen: tuple[int, ...], same: tuple[int, ...]
) -> Scores:
    """Compute some frames of a clip; `same` has the first equal frame of each of the ten."""
    firsts = tuple(same[frame] for frame in chosen)
    computed = tuple(sorted(set(firsts)))
    rows = tuple(computed.index(frame) for frame in firsts)
    if len(computed) in (1, len(firsts)):  # the mean of equal frames is each of them
        return _score_as_one_clip(run, frames, computed, computed, rows)
    outputs = run(frames[list(computed), np.newaxis])  # each as a clip of one frame
    votes = outputs.probabilities
    if votes.min() < _SMALLEST:
        return _score_as_one_clip(run, frames, firsts, computed, rows)
    weighted = np.average(outputs.embedding.astype(np.float64), axis=0, weights=np.bincount(rows))
    return _combined(computed, votes, outputs.familiarity, np.asarray(weighted, np.float32), rows)


def _score_as_one_clip(
    run: Run,
    frames: NDArray[np.uint8],
    given: tuple[int, ...],
    computed: tuple[int, ...],
    rows: tuple[int, ...],
) -> Scores:
    """Run the model on the frames `given` as one clip; `computed` are the distinct ones of these."""
    outputs = run(frames[np.newaxis] if len(computed) == CLIP_FRAMES else frames[list(given)][np.newaxis])
    at = [given.index(frame) for frame in computed]
    familiar = outputs.frame_familiarity
    return Scores(
        computed,
        outputs.probabilities[0],
        outputs.frame_probabilities[0, at],
        float(outputs.familiarity[0]),
        None if familiar is None else familiar[0, at],
        outputs.embedding[0],
        rows,
    )


def _combined(
    computed: tuple[int, ...],
    votes: NDArray[np.float32],
    familiarities: NDArray[np.float32] | None,
    embedding: NDArray[np.float32] | None,
    rows: tuple[int, ...],
) -> Scores:
    """Combine the results of frames to those of the clip."""
    counts = np.bincount(rows).astype(np.float64)
    probabilities = combine(votes, counts)
    if familiarities is None:
        familiarity = float(probabilities.max())  # as a model without `frame_familiarity` defines it
    else:
        familiarity = combine_familiarity(votes, familiarities, counts)
    return Scores(computed, probabilities, votes, familiarity, familiarities, embedding, rows)
