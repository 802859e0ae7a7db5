"""How a challenger answered beside the champion in production, out of the log of the servers.

Only the newest pair of models is summarised: a log that spans a promotion has several.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.inference.shadow import Compared, read_compared
from training.errors import InvalidLog
from training.logs import read_logs
from training.statistics.estimate import Estimate, wilson
from training.statistics.report import Column, Result, Table, columns, decimal

MOST = 15  # disagreements in the table


@dataclass(frozen=True)
class Disagreement:
    """What the two models answered differently, and how often."""

    champion: str
    challenger: str
    count: int


@dataclass(frozen=True)
class ShadowReport(Result):
    """The answers of a challenger beside those of the champion.

    Attributes:
        champion: version of the model that answered.
        challenger: version of the other model.
        clips: number of clips that both answered.
        agreement: share of them with the same verdict.
        levels: share of them with the same level of the verdict.
        failed: number of clips on which the challenger failed.
        passed_over: number of clips for which it had no time.
        classify_ms: median time of the champion.
        challenger_ms: median time of the challenger, in a thread of low priority.
        disagreements: the most frequent first.
    """

    champion: str
    challenger: str
    clips: int
    agreement: Estimate
    levels: Estimate
    failed: int
    passed_over: int
    classify_ms: float
    challenger_ms: float
    disagreements: tuple[Disagreement, ...]

    def tables(self) -> tuple[Table, ...]:
        """Return the figures and the disagreements."""
        figures = (
            ("clips that both answered", f"{self.clips:,}"),
            ("same verdict", str(self.agreement)),
            ("same level of the verdict", str(self.levels)),
            ("the challenger failed", f"{self.failed:,}"),
            ("no time for the challenger", f"{self.passed_over:,}"),
            ("median of the champion, ms", decimal(self.classify_ms, 1)),
            ("median of the challenger, ms", decimal(self.challenger_ms, 1)),
        )
        heading = f"Challenger {self.challenger} beside champion {self.champion}, as users asked"
        tables = [Table(heading, (Column("figure", numeric=False), Column("value")), figures)]
        if self.disagreements:
            rows = tuple((each.champion, each.challenger, f"{each.count:,}") for each in self.disagreements)
            names = columns("champion", "challenger", "clips", text=("champion", "challenger"))
            tables.append(Table("Disagreements", names, rows, "Nobody has said which of the two was right."))
        return tuple(tables)


def read_shadow(logs: Sequence[Path]) -> tuple[Compared, ...]:
    """Read the comparisons out of logs.

    Raises:
        InvalidLog: a log cannot be read, a line is damaged, or no log has any comparison.
    """
    found = tuple(read_logs(logs, read_compared))
    if not found:
        raise InvalidLog(", ".join(map(str, logs)), "no challenger was asked: see GIF_ANALYZER_SHADOW_MODEL")
    return found


def measure_shadow(lines: Sequence[Compared]) -> ShadowReport:
    """Summarise the comparisons of the newest pair of models; `lines` has at least one."""
    champion, challenger = lines[-1].champion, lines[-1].challenger
    mine = [line for line in lines if (line.champion, line.challenger) == (champion, challenger)]
    answered = [line for line in mine if line.error is None]
    others = Counter(
        (_words(line.verdict, line.names), _words(line.challenger_verdict, line.challenger_names))
        for line in answered
        if not line.agree
    )
    return ShadowReport(
        champion=champion,
        challenger=challenger,
        clips=len(answered),
        agreement=wilson(sum(line.agree for line in answered), len(answered)),
        levels=wilson(sum(line.verdict == line.challenger_verdict for line in answered), len(answered)),
        failed=len(mine) - len(answered),
        passed_over=sum(line.passed_over for line in mine),
        classify_ms=_median([line.classify_ms for line in answered]),
        challenger_ms=_median([line.challenger_ms for line in answered]),
        disagreements=tuple(Disagreement(*pair, count) for pair, count in others.most_common(MOST)),
    )


def _words(level: str | None, names: Sequence[str]) -> str:
    return ", ".join(names) if names else str(level)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")
