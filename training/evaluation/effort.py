"""How many frames it takes: **held-out answers by frame** -> a rule for early exit, and **what it saves**.

    Judged -> `measure_effort` -> **EffortReport** -> tables, JSON, plot, and the rule for the model file

What a rule does is told for clips that had no part in finding it: each fold is judged by the rule that the
other folds give.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES
from services.inference import EarlyExit
from training.evaluation.exit_rule import CHANGED_AT_MOST, CONFIDENCE, Judged, Seen, find_rule, spread
from training.files import write_json, write_text
from training.fit.operating import Operating, find_operating
from training.statistics.comparison import paired_difference
from training.statistics.estimate import Bootstrap, Estimate, weighted_mean
from training.statistics.report import Column, Result, Table

Flags = NDArray[np.bool_]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Frames:
    """What so many frames are worth, if nothing else is looked at.

    Attributes:
        frames: how many, 1..10, as `spread` chooses them.
        accuracy: top-1, of clips of known shows.
        same: share of all clips with the answer that all ten frames give.
    """

    frames: int
    accuracy: Estimate
    same: Estimate


@dataclass(frozen=True)
class Followed:
    """What following a rule does to clips that had no part in finding it.

    Attributes:
        clips: which, in words.
        count: how many.
        stopped: share decided by the first frames.
        frames: looked at on the mean, of 10.
        saved: share of the frames that were not looked at.
        changed: share with another answer than that of all ten frames.
    """

    clips: str
    count: int
    stopped: Estimate
    frames: Estimate
    saved: Estimate
    changed: Estimate


@dataclass(frozen=True)
class EffortReport(Result):
    """Accuracy against frames, and the rule.

    Attributes:
        recipe: that was judged.
        curve: 1 to 10 frames.
        rule: for the model file, from all clips; None where none changes few enough answers.
        changed_at_most: share of clips that the rule may change, with this confidence.
        confidence: see there.
        followed: clips of known shows, of unknown ones, and all.
        accuracy: top-1 on known clips where the rules are followed.
        change: that less the top-1 of all ten frames.
    """

    recipe: str
    curve: tuple[Frames, ...]
    rule: EarlyExit | None
    changed_at_most: float
    confidence: float
    followed: tuple[Followed, ...]
    accuracy: Estimate
    change: Estimate

    def tables(self) -> tuple[Table, ...]:
        """The curve, what the rule does, and the rule."""
        curve = Table(
            "Accuracy against frames",
            (Column("frames"), Column("top-1 accuracy"), Column("answer of all ten")),
            tuple((str(each.frames), str(each.accuracy), str(each.same)) for each in self.curve),
            f"{self.recipe}; so many frames at equal distances, and no others.",
        )
        followed = Table(
            "Early exit on clips that had no part in finding its rule",
            (
                Column("clips", numeric=False),
                Column("number"),
                Column("stopped early"),
                Column("frames looked at"),
                Column("frames saved"),
                Column("answer changed"),
            ),
            tuple(
                (
                    each.clips,
                    str(each.count),
                    *map(str, (each.stopped, each.frames, each.saved, each.changed)),
                )
                for each in self.followed
            ),
            f"Top-1 accuracy {self.accuracy}, change {self.change.signed()}. "
            "Each fold by the rule of the other folds.",
        )
        row = "none", "-"
        if self.rule is not None:
            row = ", ".join(map(str, self.rule.frames)), f"{self.rule.threshold:.4f}"
        rule = Table(
            "For the model file: the rule for early exit",
            (Column("first frames", numeric=False), Column("stop when as sure as")),
            (row,),
            f"At most {self.changed_at_most:.0%} of answers changed, with {self.confidence:.0%} confidence.",
        )
        return curve, followed, rule

    def write(self, folder: Path) -> None:
        """Write effort.json and effort.md."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "effort.json", self.to_json(), sort_keys=True, allow_nan=False)
        write_text(folder / "effort.md", self.markdown())


def measure_effort(
    judged: Judged,
    operating: Operating,
    *,
    recipe: str,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> EffortReport:
    """Compute every figure.

    Args:
        judged: answers by frame of models that had not seen the clips.
        operating: temperature and thresholds of the model file.
        recipe: what was judged, for the tables.
        bootstrap: of the intervals.
    """
    known = judged.known
    seen = {count: Seen.by(judged, spread(count), operating) for count in range(1, CLIP_FRAMES + 1)}
    whole = seen[CLIP_FRAMES]

    def mean(values: NDArray[np.generic], clips: Flags) -> Estimate:
        return bootstrap.estimate(weighted_mean(values[clips]), int(clips.sum()), groups=judged.group[clips])

    def right(best: Numbers) -> Flags:
        return np.asarray(best == judged.labels)

    every = np.ones(len(known), bool)
    curve = tuple(
        Frames(
            count,
            mean(right(each.best), known),
            mean(~each.differs(whole), every),
        )
        for count, each in seen.items()
    )
    best, frames, changed = _follow(judged)
    followed = tuple(
        Followed(
            name,
            int(clips.sum()),
            mean(frames < CLIP_FRAMES, clips),
            mean(frames, clips),
            mean(1 - frames / CLIP_FRAMES, clips),
            mean(changed, clips),
        )
        for name, clips in (("of known shows", known), ("of other things", ~known), ("all", every))
        if clips.any()
    )
    return EffortReport(
        recipe,
        curve,
        find_rule(judged, operating),
        CHANGED_AT_MOST,
        CONFIDENCE,
        followed,
        mean(right(best), known),
        paired_difference(
            right(best)[known],
            right(whole.best)[known],
            groups=judged.group[known],
            bootstrap=bootstrap,
        ),
    )


def _follow(judged: Judged) -> tuple[Numbers, Numbers, Flags]:
    """Follow, in each fold, what the other folds give: the show named, frames looked at, whether changed."""
    best = np.zeros(len(judged.labels), np.intp)
    frames = np.full(len(judged.labels), CLIP_FRAMES)
    changed = np.zeros(len(judged.labels), bool)
    for fold in np.unique(judged.fold):
        inside = judged.fold == fold
        here, others = judged.choose(inside), judged.choose(~inside)
        operating = find_operating(
            others.of_frames(range(CLIP_FRAMES)), others.labels, judged.shows, kinds=judged.kinds
        )
        whole = Seen.by(here, range(CLIP_FRAMES), operating)
        best[inside] = whole.best
        rule = find_rule(others, operating)
        if rule is None:
            continue
        early = Seen.by(here, rule.frames, operating)
        stopped = early.sure >= rule.threshold
        best[inside] = np.where(stopped, early.best, whole.best)
        frames[inside] = np.where(stopped, len(rule.frames), CLIP_FRAMES)
        changed[inside] = stopped & early.differs(whole)
    return best, frames, changed
