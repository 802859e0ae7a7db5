"""What the gate decided, and why: **Verdict** -> Markdown · JSON."""

from __future__ import annotations

from dataclasses import dataclass

from training.registry.gate_options import GateOptions
from training.statistics.estimate import Estimate
from training.statistics.report import Column, Result, Table, decimal


@dataclass(frozen=True)
class Check:
    """One thing that a challenger is held to: what was found, what is allowed, in words."""

    name: str
    passed: bool
    found: str
    bound: str


@dataclass(frozen=True)
class ShowChange:
    """One show, or several small ones together.

    Attributes:
        show: title.
        clips: how many.
        champion: share that the champion named right.
        challenger: share that the challenger named right.
        change: the second less the first, paired.
        lost: whether it fell by more than the margin, beyond chance.
    """

    show: str
    clips: int
    champion: float
    challenger: float
    change: Estimate
    lost: bool


@dataclass(frozen=True)
class Figure:
    """One number of both models; NaN for the champion where there is none."""

    name: str
    champion: float
    challenger: float
    digits: int = 3


@dataclass(frozen=True)
class Verdict(Result):
    """What was decided, and why.

    Attributes:
        challenger: version in the registry.
        champion: version in the registry; None where there was none.
        challenger_sha256: digest of the challenger's file.
        evaluation_sha256: digest of the evaluation set.
        clips: how many were answered.
        passed: whether every check passed.
        change: of top-1 accuracy, paired; None without a champion.
        checks: see the table at the top of this module.
        figures: of both models.
        shows: changes by show, the worst first.
        remarks: what a reader must know.
        options: what it was held to.
    """

    challenger: str
    champion: str | None
    challenger_sha256: str
    evaluation_sha256: str
    clips: int
    passed: bool
    change: Estimate | None
    checks: tuple[Check, ...]
    figures: tuple[Figure, ...]
    shows: tuple[ShowChange, ...]
    remarks: tuple[str, ...]
    options: GateOptions

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that did not pass."""
        return tuple(check.name for check in self.checks if not check.passed)

    def tables(self) -> tuple[Table, ...]:
        """Checks, figures, shows, remarks."""
        word = "passes" if self.passed else "does not pass"
        beside = f"beside champion version {self.champion}" if self.champion else "without a champion"
        checks = tuple(
            (each.name, each.found, each.bound, "passed" if each.passed else "FAILED") for each in self.checks
        )
        figures = tuple(
            (each.name, decimal(each.champion, each.digits), decimal(each.challenger, each.digits))
            for each in self.figures
        )
        shows = tuple(
            (
                each.show,
                str(each.clips),
                decimal(each.champion),
                decimal(each.challenger),
                each.change.signed(),
                "LOST" if each.lost else "",
            )
            for each in self.shows
        )
        texts = ("check", "challenger", "bound", "verdict")
        tables = [
            Table(
                f"Challenger version {self.challenger} {beside}: {word}",
                tuple(Column(text, numeric=False) for text in texts),
                checks,
            ),
            Table(
                f"Figures on {self.clips} clips",
                (Column("figure", numeric=False), Column("champion"), Column("challenger")),
                figures,
                f"Evaluation set {self.evaluation_sha256[:12]}. Latency is this machine's and only reported.",
            ),
        ]
        if shows:
            headings = ("clips", "champion", "challenger", "change [95 % interval]")
            columns = (
                Column("show", numeric=False),
                *map(Column, headings),
                Column("verdict", numeric=False),
            )
            tables.append(Table("Shows", columns, shows))
        if self.remarks:
            rows = tuple((remark,) for remark in self.remarks)
            tables.append(Table("Remarks", (Column("remark", numeric=False),), rows))
        return tuple(tables)
