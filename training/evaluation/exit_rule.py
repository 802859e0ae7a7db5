"""Finds a rule for early exit in held-out answers by frame: which frames to compute first, and when to stop.

The threshold is found by "Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control"
(Angelopoulos, Bates, Candès, Jordan & Lei, 2021): from the strictest threshold on, each laxer one is accepted
as long as the upper confidence bound of the share of changed answers is within the limit; the first that
fails ends the search.
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

CHANGED_AT_MOST = 0.01  # share of clips whose answer may differ from that of all ten frames
CONFIDENCE = 0.95  # that the share is no larger

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.intp]


def spread(count: int) -> tuple[int, ...]:
    """This many of the ten frames, at the middles of equal parts of the clip: 3 are frames 1, 5 and 8."""
    return tuple((2 * part + 1) * CLIP_FRAMES // (2 * count) for part in range(count))


@dataclass(frozen=True, eq=False)
class FrameLogits:
    """Logits of each frame of clips of known shows and of other things, by models that had not seen the clip.

    Attributes:
        logits: float32 [clip, 10, output].
        labels: int [clip], number of the show; the number of shows for a clip of other things.
        fold: int [clip], of the model that answered.
        group: int [clip], equal for clips of one scene, which are not independent.
        shows: titles, in the order of the outputs.
        kinds: kind of picture by show; None if they have none.
    """

    logits: NDArray[np.float32]
    labels: Numbers
    fold: Numbers
    group: Numbers
    shows: tuple[str, ...]
    kinds: Mapping[str, str] | None = None

    def choose(self, clips: Flags) -> FrameLogits:
        """Some of the clips, bool [clip]."""
        names = ("logits", "labels", "fold", "group")
        return dataclasses.replace(self, **{name: getattr(self, name)[clips] for name in names})

    def of_clips(self, frames: Sequence[int]) -> Doubles:
        """Logits of the clips from these frames alone, float64 [clip, output]."""
        return np.asarray(self.logits[:, list(frames)].astype(np.float64).mean(axis=1))

    @property
    def known(self) -> Flags:
        """Whether each clip is of a show that the models know, bool [clip]."""
        return np.asarray(self.labels < len(self.shows))


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers to clips from some of their frames.

    Attributes:
        best: the show that is ranked first, int [clip].
        sure: probability of that show and of no other thing, float64 [clip].
        verdicts: of each clip.
    """

    best: Numbers
    sure: Doubles
    verdicts: list[Verdict]

    @classmethod
    def of(cls, clips: FrameLogits, frames: Sequence[int], operating: Operating) -> Answers:
        """The answers of a model file with these thresholds, from these frames."""
        logits, count = clips.of_clips(frames), len(clips.shows)
        shares = operating.probabilities(logits, count)
        sure = operating.joint(logits, count).max(axis=1)
        return cls(shares.argmax(axis=1), sure, operating.verdicts(logits, clips.shows, clips.kinds))

    def differs(self, whole: Answers) -> Flags:
        """Whether each clip gets another answer: another show first, or another verdict."""
        other = [mine != theirs for mine, theirs in zip(self.verdicts, whole.verdicts, strict=True)]
        return np.asarray((self.best != whole.best) | np.array(other))


def find_threshold(sure: Doubles, differs: Flags, groups: Numbers) -> float | None:
    """The lowest threshold that changes few enough answers: `CHANGED_AT_MOST` of them, with `CONFIDENCE`.

    Args:
        sure: how sure the first frames are, [clip].
        differs: whether their answer differs from that of all frames, [clip].
        groups: [clip]; a group counts as changed if one of its clips is.

    Returns:
        None if even the strictest would change too many, or there are too few clips to tell.
    """
    units = len(np.unique(groups))
    allowed = -1
    while allowed + 1 < units and _upper_bound(allowed + 1, units) <= CHANGED_AT_MOST:
        allowed += 1
    if allowed < 0:
        return None
    wrong = np.flatnonzero(differs)
    # For each group the largest threshold at which it is changed, in descending order.
    changed_at = np.sort([sure[wrong[groups[wrong] == group]].max() for group in np.unique(groups[wrong])])[
        ::-1
    ]
    above = sure > changed_at[allowed] if len(changed_at) > allowed else np.ones(len(sure), bool)
    return float(sure[above].min()) if above.any() else None


def _upper_bound(changed: int, units: int) -> float:
    """One-sided bound of Clopper and Pearson (1934) for a share of independent units."""
    return 1.0 if changed >= units else float(beta.ppf(CONFIDENCE, changed + 1, units - changed))


def find_rule(clips: FrameLogits, operating: Operating) -> EarlyExit | None:
    """The rule with the fewest frames per clip on average; None if none changes few enough answers."""
    whole = Answers.of(clips, range(CLIP_FRAMES), operating)
    found: EarlyExit | None = None
    least = float(CLIP_FRAMES)
    for count in range(1, CLIP_FRAMES):
        early = Answers.of(clips, spread(count), operating)
        threshold = find_threshold(early.sure, early.differs(whole), clips.group)
        if threshold is None:
            continue
        frames = np.where(early.sure >= threshold, count, CLIP_FRAMES).mean()
        if frames < least:
            least, found = float(frames), EarlyExit(spread(count), threshold)
    return found
