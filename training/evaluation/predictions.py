"""What a model said of single GIFs: **Prediction** <-> predictions.json; the worst first.

Paths are kept relative to the file, so that a folder can be moved as a whole.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from training.errors import InvalidOptions, InvalidRun
from training.files import write_json

Order = Literal["uncertain", "wrong"]


@dataclass(frozen=True)
class Prediction:
    """What was said of one GIF.

    Attributes:
        path: of the GIF.
        sha256: of the file, hexadecimal.
        show: what the manifest says.
        group: of the manifest.
        probabilities: by show, summing to 1.
        known: whether it was familiar enough to be given a name.
    """

    path: Path
    sha256: str
    show: str
    group: str
    probabilities: Mapping[str, float]
    known: bool

    @property
    def named(self) -> str:
        """The likeliest show."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """Probability of the likeliest show, 0..1."""
        return self.probabilities[self.named]

    @property
    def right(self) -> bool:
        """Whether the likeliest show is what the manifest says."""
        return self.named == self.show

    @property
    def entropy(self) -> float:
        """How undecided the model is, in nats, 0 for certain."""
        return -sum(share * math.log(share) for share in self.probabilities.values() if share > 0)


def worst(predictions: Sequence[Prediction], order: Order, count: int) -> tuple[Prediction, ...]:
    """Those that a person should look at first.

    Args:
        predictions: to choose from.
        order: "uncertain", the most undecided first; "wrong", mistakes alone, the most confident first.
        count: at most so many, at least 1.

    Raises:
        InvalidOptions: the order is neither, or the count below 1.
    """
    if order not in get_args(Order):
        raise InvalidOptions("order", expected=f"one of {', '.join(get_args(Order))}", found=str(order))
    if count < 1:
        raise InvalidOptions("count", expected="at least 1", found=str(count))
    if order == "uncertain":
        chosen = sorted(predictions, key=lambda each: (-each.entropy, each.sha256))
    else:
        wrong = [each for each in predictions if not each.right]
        chosen = sorted(wrong, key=lambda each: (-each.confidence, each.sha256))
    return tuple(chosen[:count])


def write_predictions(predictions: Sequence[Prediction], path: Path) -> None:
    """Write them as JSON, at once."""
    rows = [
        {
            "path": os.path.relpath(each.path.resolve(), path.resolve().parent),
            "sha256": each.sha256,
            "show": each.show,
            "group": each.group,
            "probabilities": dict(each.probabilities),
            "known": each.known,
        }
        for each in predictions
    ]
    write_json(path, rows)


def read_predictions(path: Path) -> tuple[Prediction, ...]:
    """Read what `write_predictions` wrote.

    Raises:
        InvalidRun: the file is missing or something else.
    """
    try:
        return tuple(
            Prediction(
                path=(path.resolve().parent / row["path"]).resolve(),
                sha256=str(row["sha256"]),
                show=str(row["show"]),
                group=str(row["group"]),
                probabilities={str(show): float(share) for show, share in row["probabilities"].items()},
                known=bool(row["known"]),
            )
            for row in json.loads(path.read_text(encoding="utf-8"))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRun(str(path), f"it holds no predictions: {error}") from error
