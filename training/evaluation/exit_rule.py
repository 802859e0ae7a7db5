"""When the first frames decide: **held-out answers by frame** -> **a rule for early exit**, or none.

The threshold is found as Angelopoulos, Bates, Candès, Jordan & Lei do in "Learn then Test: Calibrating
Predictive Algorithms to Achieve Risk Control" (2021): from the strictest threshold on, each laxer one is
accepted for as long as the upper confidence bound of the share of changed answers stays within what is
allowed; the first that fails ends it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from services.clip import CLIP_FRAMES
from services.inference import EarlyExit, Verdict
from training.fit.operating import Operating

CHANGED_AT_MOST = 0.01  # share of clips whose answer may be another than all ten frames would give
CONFIDENCE = 0.95  # that the share is no larger

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.intp]


def spread(count: int) -> tuple[int, ...]:
    """So many of the ten frames, at the middle of equal parts of the clip: 3 are frames 1, 5 and 8."""
    return tuple((2 * part + 1) * CLIP_FRAMES // (2 * count) for part in range(count))


@dataclass(frozen=True, eq=False)
class Judged:
    """Clips of known shows and of other things, each answered frame by frame by a model that had not seen it.

    Attributes:
        logits: float32 [clip, 10, output].
        labels: int [clip], number of the show; the number of shows for a clip of none of them.
        fold: int [clip], of the model that answered.
        group: int [clip], equal for clips of one scene, which are not independent.
        shows: titles, in the order of the outputs.
        kinds: kind of picture by show; None names none.
    """

    logits: NDArray[np.float32]
    labels: Numbers
    fold: Numbers
    group: Numbers
    shows: tuple[str, ...]
    kinds: Mapping[str, str] | None = None

    def choose(self, clips: Flags) -> Judged:
        """Some of the clips, bool [clip]."""
        return dataclasses.replace(
            self,
            logits=self.logits[clips],
            labels=self.labels[clips],
            fold=self.fold[clips],
            group=self.group[clips],
        )

    def of_frames(self, frames: Sequence[int]) -> Floats:
        """Logits of the clips where only these frames are looked at, float64 [clip, output]."""
        return np.asarray(self.logits[:, list(frames)].astype(np.float64).mean(axis=1))

    @property
    def known(self) -> Flags:
        """Whether a clip is of a show that the models know, bool [clip]."""
        return np.asarray(self.labels < len(self.shows))


@dataclass(frozen=True, eq=False)
class Seen:
    """What some frames say of each clip.

    Attributes:
        best: the show that is ranked first, int [clip].
        sure: as `services.inference.scoring.Scores` has it, float [clip].
        verdicts: of each clip.
    """

    best: Numbers
    sure: Floats
    verdicts: list[Verdict]

    @classmethod
    def by(cls, judged: Judged, frames: Sequence[int], operating: Operating) -> Seen:
        """What these frames say, as a model file with these thresholds would."""
        logits, count = judged.of_frames(frames), len(judged.shows)
        shares = operating.probabilities(logits, count)
        sure = operating.joint(logits, count).max(axis=1)
        return cls(shares.argmax(axis=1), sure, operating.verdicts(logits, judged.shows, judged.kinds))

    def differs(self, whole: Seen) -> Flags:
        """Whether a clip is answered otherwise: another show first, or another verdict."""
        other = [mine != theirs for mine, theirs in zip(self.verdicts, whole.verdicts, strict=True)]
        return np.asarray((self.best != whole.best) | np.array(other))


def find_threshold(
    largest: Floats, differs: Flags, groups: Numbers, *, at_most: float = CHANGED_AT_MOST
) -> float | None:
    """The lowest threshold that changes few enough answers.

    Args:
        largest: how sure the first frames are, [clip].
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


def find_rule(judged: Judged, operating: Operating) -> EarlyExit | None:
    """The rule that looks at the fewest frames on the mean; None where none changes few enough answers."""
    whole = Seen.by(judged, range(CLIP_FRAMES), operating)
    found: EarlyExit | None = None
    least = float(CLIP_FRAMES)
    for count in range(1, CLIP_FRAMES):
        early = Seen.by(judged, spread(count), operating)
        threshold = find_threshold(early.sure, early.differs(whole), judged.group)
        if threshold is None:
            continue
        frames = np.where(early.sure >= threshold, count, CLIP_FRAMES).mean()
        if frames < least:
            least, found = float(frames), EarlyExit(spread(count), threshold)
    return found
