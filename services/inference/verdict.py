"""What may honestly be said of a clip: **probabilities, familiarity, a rule** -> **Verdict**.

The model ranks shows whatever it is given. A verdict says how much of that ranking can be trusted: one show,
a few shows that the right one is among, only the kind of picture, or nothing. The thresholds stand in the
model file; they are found on clips that the model did not learn from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Level = Literal["show", "one_of", "kind", "unknown"]
MOST_SHOWS = 3  # in an answer of several shows
# A frame is of one colour when no channel varies more than this: standard deviation, of 0..255. JPEG noise
# and dithering of a flat colour stay below it, a line of small text on a flat ground lies above it.
PLAIN_DEVIATION = 3.0
_PLAIN_STEP = 4  # pixels looked at in each direction: every fourth


@dataclass(frozen=True)
class Verdict:
    """How much of an answer can be trusted.

    Attributes:
        level: "show", "one_of", "kind" or "unknown".
        names: one show; two or three shows, most probable first; one kind of picture; or none.
    """

    level: Level
    names: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether shows are named."""
        return self.level in ("show", "one_of")

    @property
    def text(self) -> str:
        """The verdict in words, such as "Friends, Seinfeld or The Office US"."""
        if self.level == "kind":
            return f"{self.names[0]}, but no show that I know"
        if self.level == "unknown":
            return "unknown"
        *first, last = self.names
        return f"{', '.join(first)} or {last}" if first else last


UNKNOWN = Verdict("unknown")


@dataclass(frozen=True)
class VerdictRule:
    """Thresholds of the levels. A clip gets the first level whose threshold it reaches.

    What shows are compared by is the probability that the clip is of that show and not of something else:
    the show's probability times the sigmoid of the familiarity.

    Attributes:
        show: from this probability of the best show on, that show is named.
        one_of: the smallest set of two or three best shows whose probabilities sum to this is named.
        kind: from this share of the probabilities of all shows on, their kind is named.

    Each is at least 0; a threshold above 1 is never reached, so that its level is never given.
    """

    show: float
    one_of: float
    kind: float

    def __post_init__(self) -> None:
        """Check the thresholds.

        Raises:
            ValueError: one of them is negative or not finite.
        """
        for name in ("show", "one_of", "kind"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number of at least 0, it is {value}")


def decide(
    shows: tuple[str, ...],
    probabilities: NDArray[np.float32],
    familiarity: float,
    *,
    rule: VerdictRule | None,
    unknown_threshold: float,
    kinds: Mapping[str, str] | None = None,
) -> Verdict:
    """Give the verdict of one clip.

    Args:
        shows: titles, in the order of the model's outputs.
        probabilities: float32 [show], summing to 1.
        familiarity: of the clip: with a rule, the logarithm of the odds that it is of one of the shows.
        rule: None for a model file without one: the best show is then named for every clip that is known.
        unknown_threshold: a less familiar clip is unknown.
        kinds: kind of picture by show; None where the model file does not say.
    """
    if familiarity < unknown_threshold:
        return UNKNOWN
    ranked = np.argsort(-probabilities, kind="stable")  # stable: equal shows keep the model's order
    if rule is None:
        return Verdict("show", (shows[ranked[0]],))
    shares = probabilities.astype(np.float64)
    joint = shares[ranked[:MOST_SHOWS]] * sigmoid(familiarity)
    if joint[0] >= rule.show:
        return Verdict("show", (shows[ranked[0]],))
    for count in range(2, len(joint) + 1):
        if joint[:count].sum() >= rule.one_of:
            return Verdict("one_of", tuple(shows[index] for index in ranked[:count]))
    if kinds:
        sums: dict[str, float] = {}
        for show, share in zip(shows, shares, strict=True):
            sums[kinds[show]] = sums.get(kinds[show], 0.0) + float(share)
        best = max(sums, key=lambda kind: sums[kind])
        if sums[best] >= rule.kind:
            return Verdict("kind", (best,))
    return UNKNOWN


def is_plain(frames: NDArray[np.uint8]) -> bool:
    """Whether every frame is of nearly one colour, so that there is nothing to recognise.

    Args:
        frames: uint8 [frame, height, width, 3], RGB in 0..255.
    """
    sample = frames[:, ::_PLAIN_STEP, ::_PLAIN_STEP].astype(np.float32)
    return bool((sample.std(axis=(1, 2)) <= PLAIN_DEVIATION).all())


def sigmoid(familiarity: float) -> float:
    """Probability whose log-odds are given, 0..1."""
    return 1 / (1 + math.exp(-max(min(familiarity, 700.0), -700.0)))  # exp(710) is too large for a float
