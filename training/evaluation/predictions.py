"""A model's predictions for single GIFs, the file predictions.json, and the order to review them in."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from services.reading import read_json
from training.errors import InvalidOptions, InvalidRun
from training.files import write_json

Order = Literal["uncertain", "wrong"]


@dataclass(frozen=True)
class Prediction:
    """A model's answer to one GIF.

    Attributes:
        path: of the GIF.
        sha256: of the file, hexadecimal.
        show: of the manifest.
        group: of the manifest.
        probabilities: by show, summing to 1.
        known: whether it was familiar enough not to be called unknown.
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
        """Whether the likeliest show is that of the manifest."""
        return self.named == self.show

    @property
    def entropy(self) -> float:
        """Entropy of the probabilities in nats, 0 for certain."""
        return -sum(share * math.log(share) for share in self.probabilities.values() if share > 0)


def worst(predictions: Sequence[Prediction], order: Order, count: int) -> tuple[Prediction, ...]:
    """Choose the predictions that a person should review first.

    Args:
        predictions: to choose from.
        order: "uncertain", the largest entropy first; "wrong", only mistakes, the most confident first.
        count: the largest number to choose, at least 1.

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
    """Write them as JSON; paths are relative to the file, so that a folder can be moved as a whole."""
    folder = path.resolve().parent
    rows = [
        dataclasses.asdict(each) | {"path": os.path.relpath(each.path.resolve(), folder)}
        for each in predictions
    ]
    write_json(path, rows)


def read_predictions(path: Path) -> tuple[Prediction, ...]:
    """Read what `write_predictions` wrote.

    Raises:
        InvalidRun: the file is missing or something else.
    """
    try:
        found = tuple(
            Prediction(
                path=(path.resolve().parent / row["path"]).resolve(),
                sha256=str(row["sha256"]),
                show=str(row["show"]),
                group=str(row["group"]),
                probabilities={str(show): float(share) for show, share in row["probabilities"].items()},
                known=bool(row["known"]),
            )
            for row in read_json(path)
        )
        for each in found:
            if not re.fullmatch("[0-9a-f]{64}", each.sha256):  # it becomes the name of a file
                raise ValueError(f"{each.sha256!r} is no SHA-256")
            if not each.probabilities or not all(0 <= share <= 1 for share in each.probabilities.values()):
                raise ValueError(f"the probabilities of {each.sha256} are missing, or not in 0..1")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidRun(str(path), f"it holds no predictions: {error}") from error
    return found
