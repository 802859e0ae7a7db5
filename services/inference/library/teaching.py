"""Shows that a library teaches: they take part in the ranking beside those that the model was trained for.

The model's own head is a ridge regression on one-hot labels. In the space of a library's embeddings the same
regression is solved once more for the taught shows alone: its inputs are the taught clips and what the model
file keeps of its training clips, their weighted mean and second moments, for which every taught show's target
is 0. That is exact, because a ridge regression needs nothing else of the clips. A taught show therefore has a
logit on the scale of the trained ones, and the model's temperature, familiarity and verdict hold for it.

A regression pulls the logits of a show with few clips towards 0. `gain` makes up for it; it was found on
shows that were left out of training (docs/library.md).
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.inference.library.embedding import EMBEDDING_SCALE, EMBEDDING_SIZE

REGULARISATION = 0.5  # share of the mean variance
BALANCE = 0.75  # a clip's weight is its show's number of clips to the power of minus this, as in training
_SMALLEST = 1e-30  # probabilities below it have lost their digits
_NUMBERS = struct.Struct("<3f")  # temperature, others, weight
_ROWS, _COLUMNS = np.triu_indices(EMBEDDING_SIZE)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TeachingBase:
    """What a model file keeps of its training clips, so that shows can be taught later.

    Attributes:
        temperature: by which the model divides its logits, above 0.
        others: by which the output of "none of these" was multiplied after the regression, above 0.
        weight: sum of the weights of the training clips.
        mean: float64 [256], weighted mean of their embeddings.
        moments: float64 [256, 256], weighted mean of the products of all pairs of their numbers.
    """

    temperature: float
    others: float
    weight: float
    mean: Floats
    moments: Floats

    @classmethod
    def of(
        cls, embeddings: NDArray[np.int8], weights: Floats, *, temperature: float, others: float
    ) -> TeachingBase:
        """Measure training clips.

        Args:
            embeddings: int8 [clip, 256].
            weights: float64 [clip], see `BALANCE`.
            temperature: see above.
            others: see above.
        """
        vectors = embeddings / EMBEDDING_SCALE
        share = weights / weights.sum()
        moments = (vectors * share[:, None]).T @ vectors
        return cls(temperature, others, float(weights.sum()), share @ vectors, moments)

    def pack(self) -> str:
        """Write it as text for a model file's metadata: 88 KB."""
        numbers = _NUMBERS.pack(self.temperature, self.others, self.weight)
        halves = np.concatenate([self.mean, self.moments[_ROWS, _COLUMNS] * EMBEDDING_SIZE]).astype("<f2")
        return base64.b64encode(numbers + halves.tobytes()).decode()

    @classmethod
    def unpack(cls, text: str) -> TeachingBase:
        """Read what `pack` wrote.

        Raises:
            ValueError: the text is something else.
        """
        content = base64.b64decode(text, validate=True)
        if len(content) != _NUMBERS.size + 2 * (EMBEDDING_SIZE + len(_ROWS)):
            raise ValueError(f"it has {len(content):,} bytes, which is another length")
        temperature, others, weight = _NUMBERS.unpack_from(content)
        halves = np.frombuffer(content, "<f2", offset=_NUMBERS.size).astype(np.float64)
        if not (np.isfinite(halves).all() and 0 < min(temperature, others, weight) < np.inf):
            raise ValueError("its numbers must be finite, and the first three above 0")
        moments = np.zeros((EMBEDDING_SIZE, EMBEDDING_SIZE))
        moments[_ROWS, _COLUMNS] = moments[_COLUMNS, _ROWS] = halves[EMBEDDING_SIZE:] / EMBEDDING_SIZE
        return cls(temperature, others, weight, halves[:EMBEDDING_SIZE], moments)


class Examples(Protocol):
    """What `TaughtShows` reads of a `Library`; the study of it draws its own examples."""

    @property
    def titles(self) -> tuple[str, ...]: ...  # noqa: D102 - as `Library`
    @property
    def shows(self) -> NDArray[np.integer[Any]]: ...  # noqa: D102
    @property
    def embeddings(self) -> NDArray[np.int8]: ...  # noqa: D102


class TaughtShows:
    """The shows of a library that a model was not trained for.

    Args:
        library: made with that model.
        trained: the shows that the model was trained for.
        base: from the model file.

    Attributes:
        titles: of the taught shows.
    """

    def __init__(self, library: Examples, trained: tuple[str, ...], base: TeachingBase) -> None:
        self._base = base
        places = [place for place, title in enumerate(library.titles) if title not in trained]
        self.titles = tuple(library.titles[place] for place in places)
        is_of = library.shows[:, None] == np.array(places, np.intp)  # [clip, taught show]
        taught = is_of.any(axis=1)
        vectors, counts = library.embeddings[taught] / EMBEDDING_SCALE, is_of.sum(axis=0)
        weights = is_of[taught] * counts**-BALANCE  # of each clip for its show
        weight = base.weight + weights.sum()
        sums = vectors.T @ weights
        mean = (base.weight * base.mean + sums.sum(axis=1)) / weight
        targets = weights.sum(axis=0) / weight
        second = base.weight * base.moments + (vectors * weights.sum(axis=1, keepdims=True)).T @ vectors
        covariance = second / weight - np.outer(mean, mean)
        penalty = REGULARISATION * np.trace(covariance) / EMBEDDING_SIZE
        products = sums / weight - np.outer(mean, targets)
        matrix = np.linalg.solve(covariance + penalty * np.eye(EMBEDDING_SIZE), products)
        gains = np.array([gain(count) for count in counts.tolist()])
        self._matrix, self._bias = matrix * gains, (targets - mean @ matrix) * gains

    def join(
        self, embedding: NDArray[np.int8], probabilities: NDArray[np.float32], familiarity: float
    ) -> tuple[NDArray[np.float32], float]:
        """Add the taught shows to the model's answer for a clip.

        Args:
            embedding: int8 [256], see `services.inference.library.embedding`.
            probabilities: float32 [trained show].
            familiarity: log-odds that the clip is of one of these.

        Returns:
            The probabilities of the trained shows followed by the taught ones, and the familiarity with all.
        """
        base = self._base
        logs = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
        # The outputs of the regression sum to 1, since the one-hot labels do. A softmax forgets the level of
        # its logits, and this sum restores it: logit / temperature = log(probability) + level.
        outputs = len(logs) + 1 / base.others
        level = (1 / base.temperature - logs.sum() + familiarity / base.others) / outputs
        taught = (embedding / EMBEDDING_SCALE) @ self._matrix + self._bias
        logs = np.concatenate([logs, taught / base.temperature - level])
        total = float(np.logaddexp.reduce(logs))
        return np.exp(logs - total).astype(np.float32), familiarity + total


def gain(clips: int) -> float:
    """Return the factor by which a taught show's logit is raised, by its number of clips.

    Of those tried in folds, this one loses about one clip in a hundred of the other shows for any number.
    """
    return 1.0 + 1.1 / clips
