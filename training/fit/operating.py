"""What a model file takes from evaluations.

evaluation.json -> **temperature, familiarity, threshold**
effort.json -> **the rule for early exit**
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from services.inference import EarlyExit
from training.errors import InvalidRun
from training.network.head import FamiliarityKind
from training.statistics.report import Column, Result, Table


@dataclass(frozen=True)
class Operating(Result):
    """What the exported model needs from the evaluation.

    Attributes:
        temperature: that all held-out logits together are divided by.
        score: the familiarity that told known from unknown best, as `training.network.head.Head` names it.
        threshold: of that score, at this temperature; a clip is known from it on.
    """

    temperature: float
    score: FamiliarityKind
    threshold: float

    def tables(self) -> tuple[Table, ...]:
        """One row."""
        columns = Column("familiarity", numeric=False), Column("temperature"), Column("unknown below")
        row = self.score, f"{self.temperature:.3f}", f"{self.threshold:.4g}"
        return (Table("For the model file", columns, (row,)),)

    @classmethod
    def read(cls, path: Path) -> Operating:
        """Read it from an evaluation.json.

        Raises:
            InvalidRun: the file is missing or something else.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))["operating"]
            return cls(float(values["temperature"]), values["score"], float(values["threshold"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidRun(str(path), f"it is not an evaluation: {error}") from error


def read_rule(path: Path) -> EarlyExit:
    """Read the rule of an effort.json.

    Raises:
        InvalidRun: the file is missing, something else, or found no rule.
    """
    try:
        rule = json.loads(path.read_text(encoding="utf-8"))["rule"]
        found = None if rule is None else EarlyExit(tuple(map(int, rule["frames"])), float(rule["threshold"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRun(str(path), f"it is not an effort.json: {error}") from error
    if found is None:
        raise InvalidRun(str(path), "it found no rule for early exit")
    return found
