"""Measures accuracy against the number of frames that are computed, and what a rule for early exit saves.

The effect of a rule is measured on clips that had no part in finding it: each fold follows the rule that the
other folds give.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES
from services.files import write_text
from services.inference import EarlyExit
from training.evaluation.exit_rule import (
    CHANGED_AT_MOST,
    CONFIDENCE,
    Answers,
    Flags,
    FrameLogits,
    Numbers,
    find_rule,
    spread,
)
from training.files import write_json
from training.fit.operating import Operating, find_operating
from training.statistics.comparison import paired_difference
from training.statistics.estimate import Bootstrap, Estimate, weighted_mean
from training.statistics.plots import BLUE, ORANGE, SKY, drawing, title, whiskers
from training.statistics.report import Result, Table, columns


@dataclass(frozen=True)
class CurvePoint:
    """The answers if only some frames of every clip are computed.

    Attributes:
        frames: their number, 1..10, as `spread` chooses them.
        accuracy: top-1, of clips of known shows.
        same: share of all clips with the same answer as from all ten frames.
    """

    frames: int
    accuracy: Estimate
    same: Estimate


@dataclass(frozen=True)
class RuleEffect:
    """The effect of a rule on clips that had no part in finding it.

    Attributes:
        clips: which clips, in words.
        count: number of them.
        stopped: share that is decided by the first frames.
        frames: mean number of frames computed, of 10.
        saved: share of the frames that is not computed.
        changed: share with another answer than from all ten frames.
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
        curve: for 1 to 10 frames.
        rule: for the model file, from all clips; None if none changes few enough answers.
        changed_at_most: share of clips that the rule may change, with this confidence.
        confidence: of `changed_at_most`.
        followed: effect on clips of known shows, of other things, and on all.
        accuracy: top-1 on known clips if the rules are followed.
        change: `accuracy` less the top-1 accuracy of all ten frames.
    """

    recipe: str
    curve: tuple[CurvePoint, ...]
    rule: EarlyExit | None
    changed_at_most: float
    confidence: float
    followed: tuple[RuleEffect, ...]
    accuracy: Estimate
    change: Estimate

    def tables(self) -> tuple[Table, ...]:
        """The curve, the effect of the rule, and the rule."""
        curve = Table(
            "Accuracy against frames",
            columns("frames", "top-1 accuracy", "answer of all ten"),
            tuple((str(each.frames), str(each.accuracy), str(each.same)) for each in self.curve),
            f"{self.recipe}; so many frames at equal distances, and no others.",
        )
        followed = Table(
            "Early exit on clips that had no part in finding its rule",
            columns(
                *("clips", "number", "stopped early", "frames looked at", "frames saved", "answer changed"),
                text=["clips"],
            ),
            tuple(
                (each.clips, *map(str, (each.count, each.stopped, each.frames, each.saved, each.changed)))
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
            columns("first frames", "stop when as sure as", text=["first frames"]),
            (row,),
            f"At most {self.changed_at_most:.0%} of answers changed, with {self.confidence:.0%} confidence.",
        )
        return curve, followed, rule

    def write(self, folder: Path) -> None:
        """Write effort.json, effort.md and effort.png."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "effort.json", self.to_json(), sort_keys=True, allow_nan=False)
        write_text(folder / "effort.md", self.markdown())
        _plot(self, folder / "effort.png")


def measure_effort(
    clips: FrameLogits,
    operating: Operating,
    *,
    recipe: str,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> EffortReport:
    """Compute every figure.

    Args:
        clips: held-out answers by frame.
        operating: temperature and thresholds of the model file.
        recipe: that was judged, for the tables.
        bootstrap: of the intervals.
    """
    known, every = clips.known, np.ones(len(clips.labels), bool)
    answers = {count: Answers.of(clips, spread(count), operating) for count in range(1, CLIP_FRAMES + 1)}
    whole = answers[CLIP_FRAMES]

    def mean(values: NDArray[np.generic], some: Flags) -> Estimate:
        return bootstrap.estimate(weighted_mean(values[some]), int(some.sum()), groups=clips.group[some])

    curve = tuple(
        CurvePoint(count, mean(each.best == clips.labels, known), mean(~each.differs(whole), every))
        for count, each in answers.items()
    )
    best, frames, changed = _follow_rules(clips)
    followed = tuple(
        RuleEffect(
            name,
            int(some.sum()),
            mean(frames < CLIP_FRAMES, some),
            mean(frames, some),
            mean(1 - frames / CLIP_FRAMES, some),
            mean(changed, some),
        )
        for name, some in (("of known shows", known), ("of other things", ~known), ("all", every))
        if some.any()
    )
    return EffortReport(
        recipe,
        curve,
        find_rule(clips, operating),
        CHANGED_AT_MOST,
        CONFIDENCE,
        followed,
        mean(best == clips.labels, known),
        paired_difference(
            (best == clips.labels)[known],
            (whole.best == clips.labels)[known],
            groups=clips.group[known],
            bootstrap=bootstrap,
        ),
    )


def _follow_rules(clips: FrameLogits) -> tuple[Numbers, Numbers, Flags]:
    """Follow in each fold the rule of the others: the show ranked first, frames computed, whether changed."""
    best = np.zeros(len(clips.labels), np.intp)
    frames = np.full(len(clips.labels), CLIP_FRAMES)
    changed = np.zeros(len(clips.labels), bool)
    for fold in np.unique(clips.fold):
        inside = clips.fold == fold
        here, others = clips.choose(inside), clips.choose(~inside)
        logits = others.of_clips(range(CLIP_FRAMES))
        operating = find_operating(logits, others.labels, clips.shows, kinds=clips.kinds)
        whole = Answers.of(here, range(CLIP_FRAMES), operating)
        best[inside] = whole.best
        rule = find_rule(others, operating)
        if rule is None:
            continue
        early = Answers.of(here, rule.frames, operating)
        stopped = early.sure >= rule.threshold
        best[inside] = np.where(stopped, early.best, whole.best)
        frames[inside] = np.where(stopped, len(rule.frames), CLIP_FRAMES)
        changed[inside] = stopped & early.differs(whole)
    return best, frames, changed


def _plot(report: EffortReport, path: Path) -> None:
    """Top-1 accuracy over frames computed, with its interval, and the point that the rule reaches."""
    counts = [each.frames for each in report.curve]
    accuracy = [each.accuracy for each in report.curve]
    with drawing(path, 7.0, 4.6) as figure:
        axes = figure.add_subplot()
        axes.fill_between(
            counts, [each.low for each in accuracy], [each.high for each in accuracy], color=SKY, alpha=0.25
        )
        axes.plot(
            counts, [each.value for each in accuracy], color=BLUE, marker="o", label="so many of every clip"
        )
        known = report.followed[0].frames
        axes.errorbar(
            [known.value],
            [report.accuracy.value],
            xerr=whiskers([known]),
            color=ORANGE,
            marker="D",
            label="early exit, on the mean",
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel("frames looked at")
        axes.set_ylabel("top-1 accuracy")
        axes.legend(loc="lower right")
        title(axes, "What a frame is worth", "clips of known shows, sources not seen; 95 % intervals")
