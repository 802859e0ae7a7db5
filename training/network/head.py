"""The head: turns tap values of the frames of clips into probabilities of the shows and familiarity.

A frame's vector is made of parts, each a tap's values after some arithmetic. A linear layer turns vectors
into logits, and a clip's logits are the mean of its frames' logits. The same functions run on numpy arrays,
to try a head on cached features, and on Keras tensors, to build the graph that is exported: `xp` is numpy or
`keras.ops`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from training.errors import InvalidOptions

Array = NDArray[np.float32]
Statistic = Literal["mean", "deviation", "covariance"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)

_TINY = 1e-6  # keeps the direction of a vector of length 0 from being undefined


class Tap(NamedTuple):
    """A feature map of the network, and the statistic over height and width that is taken of it.

    Attributes:
        block: of the backbone; "top" is the input of its classifier.
        statistic: "mean"; "deviation", the square root of variance + 1e-5; or "covariance" of all pairs of
            channels, each pair once, n (n + 1) / 2 numbers of n channels: a description of the style of a
            picture (Gatys, Ecker & Bethge, CVPR 2016).
    """

    block: str
    statistic: Statistic = "mean"

    def __str__(self) -> str:
        return f"{self.block}/{self.statistic}"

    @classmethod
    def parse(cls, text: str) -> Tap:
        """Read what `str` writes.

        Raises:
            InvalidOptions: there is no such statistic.
        """
        block, _, statistic = text.partition("/")
        for known in STATISTICS:
            if statistic in (known, ""):
                return cls(block, known)
        raise InvalidOptions("tap", expected=f"BLOCK/{' or BLOCK/'.join(STATISTICS)}", found=text)


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a frame's vector: the n values of a tap after these steps, in this order.

    Attributes:
        tap: where the values are from.
        shift: subtracted, float32 [n]; None leaves the step out.
        scale: factor, float32 [n]; None leaves the step out.
        unit: whether the part is then scaled to length 1.
        weight: factor on the whole part.
    """

    tap: Tap
    shift: Array | None = None
    scale: Array | None = None
    unit: bool = False
    weight: float = 1.0

    def apply(self, values: Any, xp: Any = np) -> Any:
        """Apply the steps to values [..., n]."""
        if self.shift is not None:
            values = values - self.shift
        if self.scale is not None:
            values = values * self.scale
        if self.unit:
            values = _unit(values, xp)
        return values * self.weight if self.weight != 1.0 else values


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear head: vectors [..., d] to logits [..., show].

    Attributes:
        matrix: float32 [d, show].
        bias: float32 [show].
    """

    matrix: Array
    bias: Array

    def apply(self, vectors: Any, xp: Any = np) -> Any:
        """Logits of vectors."""
        return xp.matmul(vectors, self.matrix) + self.bias


def frame_vectors(parts: Sequence[Part], taps: Mapping[Tap, Any], xp: Any = np) -> Any:
    """Vectors [..., d] of tap values [..., n]."""
    return xp.concatenate([part.apply(taps[part.tap], xp) for part in parts], axis=-1)


class Answer(NamedTuple):
    """The outputs of a head for a batch of clips.

    Attributes:
        probabilities: [clip, show], each row sums to 1.
        frame_probabilities: [clip, frame, show]: of each frame as if it were the whole clip.
        embedding: [clip, d]: the mean of the frame vectors.
        familiarity: [clip], larger is more familiar.
        frame_familiarity: [clip, frame]; None for a head that did not learn from other things.
        frame_logits: [clip, frame, output], before the temperature; their mean is the clip's.
    """

    probabilities: Any
    frame_probabilities: Any
    embedding: Any
    familiarity: Any
    frame_familiarity: Any | None
    frame_logits: Any


@dataclass(frozen=True, eq=False)
class Head:
    """All layers after the image network.

    Attributes:
        parts: of a frame's vector, concatenated.
        linear: the linear layer: one output for each show, and if it learned from other things a last one for
            "none of these".
        others: whether it has that last output. Familiarity is then the logarithm of the odds that the clip
            is of one of the shows: log sum exp of the shows' logits less the last one. Otherwise it is the
            largest probability.
        temperature: logits are divided by it before softmax; above 0.
    """

    parts: tuple[Part, ...]
    linear: Linear
    others: bool = False
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise InvalidOptions("temperature", expected="above 0", found=str(self.temperature))

    @property
    def shows(self) -> int:
        """The number of shows that it knows."""
        return len(self.linear.bias) - self.others

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The taps of all parts, each once."""
        return tuple(dict.fromkeys(part.tap for part in self.parts))

    def answer(self, taps: Mapping[Tap, Any], xp: Any = np) -> Answer:
        """The outputs for tap values [clip, frame, n]."""
        frames = frame_vectors(self.parts, taps, xp)
        vectors = xp.mean(frames, axis=1)
        frame_logits = self.linear.apply(frames, xp)
        of_frames = self._probable(frame_logits / self.temperature, xp)
        of_clips = self._probable(self.linear.apply(vectors, xp) / self.temperature, xp)
        return Answer(
            probabilities=of_clips[0],
            frame_probabilities=of_frames[0],
            embedding=vectors,
            familiarity=of_clips[1],
            frame_familiarity=of_frames[1] if self.others else None,
            frame_logits=frame_logits,
        )

    def _probable(self, logits: Any, xp: Any) -> tuple[Any, Any]:
        """Probabilities [..., show] and familiarity [...] of logits [..., output] over the temperature."""
        shows = logits[..., : self.shows]
        top = xp.max(shows, axis=-1, keepdims=True)
        powers = xp.exp(shows - top)
        total = xp.sum(powers, axis=-1, keepdims=True)
        probabilities = powers / total
        if not self.others:
            return probabilities, xp.max(probabilities, axis=-1)
        return probabilities, top[..., 0] + xp.log(total[..., 0]) - logits[..., -1]


def _unit(vectors: Any, xp: Any) -> Any:
    length = xp.sqrt(xp.sum(xp.square(vectors), axis=-1, keepdims=True))
    return vectors / xp.maximum(length, _TINY)
