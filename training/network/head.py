"""From what an image network says of ten frames to shows, as plain arrays.

**tap values [clip, frame, n]** -> describe -> **frame vectors** -> mean over time -> **clip vector** ->
logits

A head is a handful of arrays, however they were found: in closed form, by scikit-learn or by gradient
descent. The same lines below run on numpy arrays, to try a head on cached features, and on Keras tensors,
to build the graph that is exported; `xp` is the one or the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.errors import InvalidOptions

Array = NDArray[np.float32]
Pooling = Literal["frames", "clip"]
FamiliarityKind = Literal["probability", "energy", "nearest"]
FAMILIARITY: tuple[FamiliarityKind, ...] = ("probability", "energy", "nearest")

_TINY = 1e-6  # keeps the direction of a vector of length 0 from being undefined


class Tap(NamedTuple):
    """A place where numbers are taken from the network, and how the picture's places become one number.

    Attributes:
        block: of the backbone; "top" is what its classifier would see.
        statistic: over height and width: "mean", or "deviation", the square root of variance + 1e-5.
    """

    block: str
    statistic: Literal["mean", "deviation"] = "mean"

    def __str__(self) -> str:
        return f"{self.block}/{self.statistic}"

    @classmethod
    def parse(cls, text: str) -> Tap:
        """Read what `str` writes.

        Raises:
            InvalidOptions: the statistic is not one of the two.
        """
        block, _, statistic = text.partition("/")
        if statistic not in ("mean", "deviation", ""):
            raise InvalidOptions("tap", expected="BLOCK/mean or BLOCK/deviation", found=text)
        return cls(block, "deviation" if statistic == "deviation" else "mean")


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a frame's vector: a tap, changed in this order; a step that is None or neutral is left out.

    Attributes:
        tap: where the n numbers are from.
        power: 0.5 takes the square root of what is above 0; 1 leaves the numbers as they are.
        shift: subtracted, float32 [n].
        scale: multiplied with, float32 [n].
        projection: a matrix that whitens or reduces, float32 [n, m].
        unit: whether the part is scaled to length 1.
        weight: of this part among the others.
    """

    tap: Tap
    power: float = 1.0
    shift: Array | None = None
    scale: Array | None = None
    projection: Array | None = None
    unit: bool = False
    weight: float = 1.0

    def apply(self, values: Any, xp: Any = np) -> Any:
        """Change values [..., n] to [..., m]."""
        if self.power != 1.0:
            values = xp.power(xp.maximum(values, 0.0), self.power)
        if self.shift is not None:
            values = values - self.shift
        if self.scale is not None:
            values = values * self.scale
        if self.projection is not None:
            values = xp.matmul(values, self.projection)
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


@dataclass(frozen=True, eq=False)
class Bank:
    """Clip vectors of the training clips, scaled to length 1.

    Attributes:
        vectors: float32 [training clip, d].
        votes: what each says of the shows, float32 [training clip, show]; one-hot, or divided by the show's
            size.
        weight: of the neighbours' votes among the logits; 0 asks them about familiarity only.
        sharpness: a neighbour at cosine c votes with exp(sharpness * (c - 1)), as Tip-Adapter's cache does
            (Zhang et al., 2022).
        neighbour: familiarity "nearest" is the cosine to this neighbour, 1 is the nearest.
    """

    vectors: Array
    votes: Array
    weight: float = 0.0
    sharpness: float = 10.0
    neighbour: int = 1

    def __post_init__(self) -> None:
        lengths = np.linalg.norm(self.vectors, axis=1)
        if np.abs(lengths - 1).max() > 0.01:  # rounding to float16 is all right
            raise InvalidOptions("bank", expected="vectors of length 1", found=f"{lengths.max():.3g}")
        if not 1 <= self.neighbour <= len(self.vectors):
            raise InvalidOptions(
                "neighbour", expected=f"in 1..{len(self.vectors)}", found=str(self.neighbour)
            )

    def cosines(self, vectors: Any, xp: Any = np) -> Any:
        """Cosines [..., training clip] of vectors [..., d]."""
        return xp.matmul(_unit(vectors, xp), np.ascontiguousarray(self.vectors.T))

    def logits(self, vectors: Any, xp: Any = np) -> Any:
        """What the neighbours add to the logits, [..., show]."""
        affinity = xp.exp((self.cosines(vectors, xp) - 1.0) * self.sharpness)
        return xp.matmul(affinity, self.votes) * self.weight

    def nearest(self, vectors: Any, xp: Any = np) -> Any:
        """Cosine to the chosen neighbour, [...]."""
        cosines = self.cosines(vectors, xp)
        if self.neighbour == 1:
            return xp.max(cosines, axis=-1)
        return xp.sort(cosines, axis=-1)[..., -self.neighbour]


def describe(parts: Sequence[Part], taps: Mapping[Tap, Any], xp: Any = np) -> Any:
    """Vectors [..., d] of tap values [..., n]."""
    return xp.concatenate([part.apply(taps[part.tap], xp) for part in parts], axis=-1)


def clip_vectors(
    parts: Sequence[Part], taps: Mapping[Tap, Any], pooling: Pooling = "frames", xp: Any = np
) -> Any:
    """Clip vectors [clip, d] of tap values [clip, frame, n]; for pooling see `Head`."""
    if pooling == "clip":
        return describe(parts, {tap: xp.mean(values, axis=1) for tap, values in taps.items()}, xp)
    return xp.mean(describe(parts, taps, xp), axis=1)


class Answer(NamedTuple):
    """What a head says of a batch of clips.

    Attributes:
        probabilities: [clip, show].
        frame_probabilities: [clip, frame, show]: of each frame as if the clip showed nothing else.
        embedding: [clip, d]: the clip vectors.
        familiarity: [clip], larger is more familiar.
        logits: [clip, show], before the temperature.
    """

    probabilities: Any
    frame_probabilities: Any
    embedding: Any
    familiarity: Any
    logits: Any


@dataclass(frozen=True, eq=False)
class Head:
    """All that follows the image network.

    Attributes:
        parts: of a frame's vector, one after another.
        linear: the linear head.
        bank: of training clips; None where nothing asks for neighbours.
        pooling: "frames" describes each frame and takes the mean of the vectors, so that the clip's logits
            are the mean of the frames'; "clip" takes the mean of the taps and describes that.
        temperature: logits are divided by it before softmax; above 0.
        familiarity: which measures make it up, and their weights: "probability" is the largest probability,
            "energy" is T log sum exp(logit / T), "nearest" the cosine to the nearest training clip.
    """

    parts: tuple[Part, ...]
    linear: Linear
    bank: Bank | None = None
    pooling: Pooling = "frames"
    temperature: float = 1.0
    familiarity: tuple[tuple[FamiliarityKind, float], ...] = (("probability", 1.0),)

    def __post_init__(self) -> None:
        unknown = [kind for kind, _ in self.familiarity if kind not in FAMILIARITY]
        if unknown or not self.familiarity:
            raise InvalidOptions("familiarity", expected=" or ".join(FAMILIARITY), found=str(unknown))
        if self.bank is None and any(kind == "nearest" for kind, _ in self.familiarity):
            raise InvalidOptions("familiarity", expected="no 'nearest' without a bank", found="nearest")
        if not self.temperature > 0:
            raise InvalidOptions("temperature", expected="above 0", found=str(self.temperature))

    @property
    def taps(self) -> tuple[Tap, ...]:
        """Where the head takes its numbers from, each place once."""
        return tuple(dict.fromkeys(part.tap for part in self.parts))

    @property
    def divides(self) -> bool:
        """Whether what it says of a clip can be put together from what it says of the frames.

        So it is where logits are linear in the mean of the frames' vectors, and nothing else is asked about
        the clip than its probabilities; see `services.inference.early_exit`.
        """
        linear = self.bank is None or not self.bank.weight
        return self.pooling == "frames" and linear

    def logits(self, vectors: Any, xp: Any = np) -> Any:
        """Logits [..., show] of vectors [..., d]."""
        logits = self.linear.apply(vectors, xp)
        if self.bank is not None and self.bank.weight:
            logits = logits + self.bank.logits(vectors, xp)
        return logits

    def answer(self, taps: Mapping[Tap, Any], xp: Any = np) -> Answer:
        """What the head says of tap values [clip, frame, n]."""
        frames = describe(self.parts, taps, xp)
        vectors = clip_vectors(self.parts, taps, self.pooling, xp)
        logits = self.logits(vectors, xp)
        return Answer(
            probabilities=_softmax(logits / self.temperature, xp),
            frame_probabilities=_softmax(self.logits(frames, xp) / self.temperature, xp),
            embedding=vectors,
            familiarity=self._familiarity(vectors, logits, xp),
            logits=logits,
        )

    def _familiarity(self, vectors: Any, logits: Any, xp: Any) -> Any:
        total: Any = 0.0
        for kind, weight in self.familiarity:
            if kind == "probability":
                value = xp.max(_softmax(logits / self.temperature, xp), axis=-1)
            elif kind == "energy":
                top = xp.max(logits, axis=-1)
                over = xp.exp((logits - xp.expand_dims(top, -1)) / self.temperature)
                value = top + self.temperature * xp.log(xp.sum(over, axis=-1))
            elif self.bank is not None:
                value = self.bank.nearest(vectors, xp)
            total = total + weight * value
        return total


def _unit(vectors: Any, xp: Any) -> Any:
    length = xp.sqrt(xp.sum(xp.square(vectors), axis=-1, keepdims=True))
    return vectors / xp.maximum(length, _TINY)


def _softmax(logits: Any, xp: Any) -> Any:
    powers = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
    return powers / xp.sum(powers, axis=-1, keepdims=True)
