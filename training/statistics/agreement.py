"""Whether one model may stand in for another: **answers of both to the same clips** -> **AgreementReport**.

Asked before a model is served in int8: it must name the same show for almost every clip, and lose next to no
accuracy, on clips that neither learned from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from training.errors import InvalidRun
from training.statistics.comparison import paired_difference
from training.statistics.estimate import Bootstrap, Estimate, weighted_mean
from training.statistics.metrics import top_k_correct
from training.statistics.report import Column, Result, Table

AGREEMENT = 0.97  # share of clips for which both must name the same show first
LOSS = 0.01  # of top-1 accuracy, at most


@dataclass(frozen=True)
class AgreementReport(Result):
    """A stand-in beside the model that it stands in for.

    Attributes:
        name: of the stand-in.
        clips: how many both answered, learned from by neither.
        agreement: share of them for which both name the same show first, 0..1.
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
            Column("same show first"),
            Column("top-1 change"),
            Column("verdict", numeric=False),
        )
        verdict = "may stand in" if self.passed else "may not"
        row = self.name, str(self.clips), str(self.agreement), self.change.signed(), verdict
        note = f"Asked: the same show for {AGREEMENT:.0%}, and at most {LOSS} of top-1 accuracy lost."
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
            f"it found int8 wanting: the same show for {found['agreement']['value']:.1%}, "
            f"accuracy {found['change']['value']:+.3f}",
        )


def measure_agreement(
    name: str,
    stand_in: ArrayLike,
    original: ArrayLike,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008 - a frozen value
) -> AgreementReport:
    """Compare two models' answers to the same clips.

    Args:
        name: of the stand-in.
        stand_in: its probabilities, float [clip, show].
        original: those of the model that it stands in for, of the same clips in the same order.
        labels: int [clip].
        groups: [clip]; clips of one group are drawn together.
        bootstrap: how the intervals are drawn.

    Raises:
        ValueError: arrays that `check_scores` refuses, or of different lengths.
    """
    right, right_before = top_k_correct(stand_in, labels, 1), top_k_correct(original, labels, 1)
    same = np.asarray(stand_in).argmax(axis=1) == np.asarray(original).argmax(axis=1)
    agreement = bootstrap.estimate(weighted_mean(same), len(same), groups=groups)
    change = paired_difference(right, right_before, groups=groups, bootstrap=bootstrap)
    passed = agreement.value >= AGREEMENT and change.value >= -LOSS - 1e-9  # a mean of clips is not exact
    return AgreementReport(name, len(same), agreement, change, passed)
