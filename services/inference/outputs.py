"""What a model file says of a batch of clips, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ModelOutputs:
    """What the model says of a batch of clips, as it says it.

    Attributes:
        probabilities: float32 [batch, show], calibrated, each row sums to 1.
        frame_probabilities: float32 [batch, frame, show], each row sums to 1.
        embedding: float32 [batch, dimension].
        familiarity: float32 [batch], larger is nearer to what the model learned; a clip below
            `Classifier.threshold` is unknown.
        frame_familiarity: float32 [batch, frame], of each frame by itself; None where the model does not say.
            A model that gives it takes the mean of its frames' logits, so that its answers for some frames
            and for others can be put together.
    """

    probabilities: NDArray[np.float32]
    frame_probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]
    familiarity: NDArray[np.float32]
    frame_familiarity: NDArray[np.float32] | None = None
