"""When the first frames decide: **held-out answers by frame** -> **a rule for early exit**, or none.

The threshold is found as Angelopoulos, Bates, Candès, Jordan & Lei do in "Learn then Test: Calibrating
Predictive Algorithms to Achieve Risk Control" (2021): from the strictest threshold on, each laxer one is
accepted for as long as the upper confidence bound of the share of changed answers stays within what is
allowed; the first that fails ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from services.clip import CLIP_FRAMES
from services.inference import EarlyExit
from training.evaluation.framewise import Judged
from training.statistics.calibration import softmax

CHANGED_AT_MOST = 0.01  # share of clips whose answer may be another than all ten frames would give
CONFIDENCE = 0.95  # that the share is no larger

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.intp]


def spread(count: int) -> tuple[int, ...]:
    """So many of the ten frames, at the middle of equal parts of the clip: 3 are frames 1, 5 and 8."""
    return tuple((2 * part + 1) * CLIP_FRAMES // (2 * count) for part in range(count))


@dataclass(frozen=True, eq=False)
class Seen:
    """What some frames say of each clip.

    Attributes:
        best: the show that is named, int [clip].
        largest: its probability, float [clip], which is also how familiar the clip is.
    """

    best: Numbers
    largest: Floats

    @classmethod
    def by(cls, judged: Judged, frames: Sequence[int], temperature: float) -> Seen:
        """What these frames say, as a model with this temperature would."""
        probabilities = softmax(judged.logits[:, list(frames)].mean(axis=1), temperature=temperature)
        return cls(probabilities.argmax(axis=1), probabilities.max(axis=1))

    def differs(self, whole: Seen, unknown_threshold: float) -> Flags:
        """Whether a clip is answered otherwise: with another show, or known instead of unknown."""
        known = (self.largest >= unknown_threshold) == (whole.largest >= unknown_threshold)
        return np.asarray((self.best != whole.best) | ~known)


def find_threshold(
    largest: Floats, differs: Flags, groups: Numbers, *, at_most: float = CHANGED_AT_MOST
) -> float | None:
    """The lowest threshold that changes few enough answers.

    Args:
        largest: probability that the first frames give, [clip].
        differs: whether their answer is another than that of all frames, [clip].
        groups: [clip]; of one group's clips one change counts for all.
        at_most: share of groups with a changed answer that is allowed, with `CONFIDENCE`.

    Returns:
        None where even the strictest would change too many, or the clips are too few to tell.
    """
    units = len(np.unique(groups))
    allowed = -1
    while allowed + 1 < units and _upper_bound(allowed + 1, units) <= at_most:
        allowed += 1
    if allowed < 0:
        return None
    wrong = np.flatnonzero(differs)
    # For each group the largest probability at which it would be changed, from the largest on.
    first = np.sort([largest[wrong[groups[wrong] == group]].max() for group in np.unique(groups[wrong])])[
        ::-1
    ]
    above = largest > first[allowed] if len(first) > allowed else np.ones(len(largest), bool)
    return float(largest[above].min()) if above.any() else None


def _upper_bound(changed: int, units: int) -> float:
    """Of Clopper and Pearson (1934), one-sided, for a share of independent units."""
    return 1.0 if changed >= units else float(beta.ppf(CONFIDENCE, changed + 1, units - changed))


def find_rule(judged: Judged, temperature: float, unknown_threshold: float) -> EarlyExit | None:
    """The rule that looks at the fewest frames on the mean; None where none changes few enough answers."""
    whole = Seen.by(judged, range(CLIP_FRAMES), temperature)
    found: EarlyExit | None = None
    least = float(CLIP_FRAMES)
    for count in range(1, CLIP_FRAMES):
        early = Seen.by(judged, spread(count), temperature)
        threshold = find_threshold(early.largest, early.differs(whole, unknown_threshold), judged.group)
        if threshold is None:
            continue
        frames = np.where(early.largest >= threshold, count, CLIP_FRAMES).mean()
        if frames < least:
            least, found = float(frames), EarlyExit(spread(count), threshold)
    return found
