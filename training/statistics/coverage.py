"""How right the answers are when only the surest are given: **right, sureness** -> **CoverageReport**."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from training.statistics.report import Column, Result, Table

_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class CoverageReport(Result):
    """Accuracy against the share of clips that are answered, the surest first.

    Attributes:
        answered: share of known clips that are answered, growing to 1.
        accuracy: share of these that are right.
        others: share of clips of other things that would be answered as well, at the same sureness.
    """

    answered: tuple[float, ...]
    accuracy: tuple[float, ...]
    others: tuple[float, ...]

    def tables(self) -> tuple[Table, ...]:
        """A row for each tenth of the known clips."""
        rows = []
        for share in _SHARES:
            place = min(round(share * len(self.answered)), len(self.answered)) - 1
            if place >= 0:
                others = f"{self.others[place]:.3f}" if self.others else "-"
                rows.append((f"{self.answered[place]:.2f}", f"{self.accuracy[place]:.3f}", others))
        columns = Column("known clips answered"), Column("of these right"), Column("other clips answered too")
        note = "The surest first: by the probability of the likeliest show, none of the shows being a choice."
        return (Table("Right answers among the surest", columns, tuple(rows), note),)


def measure_coverage(right: ArrayLike, sure: ArrayLike, others: ArrayLike) -> CoverageReport:
    """Order clips by how sure their answers are.

    Args:
        right: whether the likeliest show of each known clip is right, bool [clip].
        sure: how sure each is, [clip], larger is surer.
        others: the same of clips of other things, [other clip]; may be empty.
    """
    hits, scores, strangers = (np.asarray(values) for values in (right, sure, others))
    order = np.argsort(-scores, kind="stable")
    count = np.arange(1, len(order) + 1)
    shares = (strangers[None, :] >= scores[order][:, None]).mean(axis=1) if len(strangers) else np.zeros(0)
    return CoverageReport(
        tuple((count / len(order)).tolist()),
        tuple((np.cumsum(hits[order]) / count).tolist()),
        tuple(shares.tolist()),
    )
