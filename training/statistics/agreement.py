"""Whether one model may stand in for another: **answers of both to the same clips** -> **AgreementReport**.

Asked before a model is served in int8: it must give the same verdict and rank the same show first for
almost every clip, and lose next to no accuracy, on clips that neither learned from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from training.errors import InvalidRun
from training.statistics.comparison import paired_difference
from training.statistics.estimate import Bootstrap, Estimate, weighted_mean
from training.statistics.report import Column, Result, Table

# Share of clips for which both must give the same verdict and rank the same show first. 0.97 was asked while
# a verdict was only known or unknown. Each of its levels has a threshold, where some clips change sides.
AGREEMENT = 0.93
LOSS = 0.01  # of top-1 accuracy, at most


@dataclass(frozen=True)
class AgreementReport(Result):
    """A stand-in beside the model that it stands in for.

    Attributes:
        name: of the stand-in.
        clips: how many both answered, learned from by neither.
        agreement: share of them with the same verdict and the same show first, 0..1.
        change: top-1 accuracy of the stand-in less that of the other, -1..1.
        passed: whether it may stand in: agreement of `AGREEMENT` at least, and no more than `LOSS` lost.
    """

    name: str
    clips: int
    agreement: Estimate
    change: Estimate
    passed: bool

    def tables(self) -> tuple[Table, ...]:
        """One row."""
        columns = (
            Column("stand-in", numeric=False),
            Column("clips"),
            Column("same verdict and show"),
            Column("top-1 change"),
            Column("verdict", numeric=False),
        )
        verdict = "may stand in" if self.passed else "may not"
        row = self.name, str(self.clips), str(self.agreement), self.change.signed(), verdict
        note = f"Asked: the same for {AGREEMENT:.0%}, and at most {LOSS} of top-1 accuracy lost."
        return (Table("In place of the chosen recipe", columns, (row,), note),)


def require_agreement(path: Path) -> None:
    """Check that an evaluation found the stand-in good enough.

    Args:
        path: of an evaluation.json.

    Raises:
        InvalidRun: it is no evaluation, did not judge a stand-in, or found it wanting.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("agreement")
    except (OSError, ValueError, AttributeError) as error:
        raise InvalidRun(str(path), f"it is not an evaluation: {error}") from error
    if found is None:
        raise InvalidRun(str(path), "it did not judge the model in int8")
    if not found["passed"]:
        raise InvalidRun(
            str(path),
            f"it found int8 wanting: the same verdict and show for {found['agreement']['value']:.1%}, "
            f"accuracy {found['change']['value']:+.3f}",
        )


def measure_agreement(
    name: str,
    stand_in: Sequence[tuple[object, int]],
    original: Sequence[tuple[object, int]],
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> AgreementReport:
    """Compare two models' answers to the same clips.

    Args:
        name: of the stand-in.
        stand_in: its verdict and the number of the show that it ranks first, [clip].
        original: those of the model that it stands in for, of the same clips in the same order.
        labels: int [clip], the shows; negative for clips of other things, which have no part in the accuracy.
        groups: [clip]; clips of one group are drawn together.
        bootstrap: how the intervals are drawn.

    Raises:
        ValueError: different lengths, or no clips.
    """
    truth = np.asarray(labels)
    known = truth >= 0
    same = np.array([ours == theirs for ours, theirs in zip(stand_in, original, strict=True)])
    right, right_before = (
        (np.array([show for _, show in answers]) == truth)[known] for answers in (stand_in, original)
    )
    agreement = bootstrap.estimate(weighted_mean(same), len(same), groups=groups)
    units = None if groups is None else np.asarray(groups)[known]
    change = paired_difference(right, right_before, groups=units, bootstrap=bootstrap)
    passed = agreement.value >= AGREEMENT and change.value >= -LOSS - 1e-9  # a mean of clips is not exact
    return AgreementReport(name, len(same), agreement, change, passed)
