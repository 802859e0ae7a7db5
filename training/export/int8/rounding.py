"""Weights in whole steps: **weights, what they are multiplied with** -> **whole numbers that answer alike**.

The nearest whole number is best for each weight alone, and not for their sum: a kernel that looks for edges
weighs alike pixels against each other, and must still say nothing where all are alike. So each weight is
rounded in turn, and those that follow make up for its error as far as what they are multiplied with goes
along with it (GPTQ: Frantar, Ashkboos, Hoefler and Alistarh, ICLR 2023, which is Optimal Brain Surgeon,
Hassibi and Stork, 1993, for rounding). What then remains on the mean goes into the bias (Nagel, van Baalen,
Blankevoort and Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_DAMPING = 0.01  # of the mean variance, added to each: taps that never vary alone have no inverse


def steps(rows: Doubles, *, most: int, neighbours: int | None = None) -> Doubles:
    """Choose the step of each row: `most` of them are its largest weight.

    Args:
        rows: weights, float64 [output, tap].
        most: the largest magnitude in steps.
        neighbours: of two taps in sequence, their magnitudes added, at most; None if it does not matter.

    Returns:
        float64 [output], above 0.
    """
    reach = np.abs(rows).max(axis=1)
    if neighbours is not None and rows.shape[1] > 1:
        pairs = np.abs(rows[:, 1:]) + np.abs(rows[:, :-1])
        # Two are each rounded by half a step, so that they may lack one to the bound.
        reach = np.maximum(reach, pairs.max(axis=1) * most / (neighbours - 1))
    return np.where(reach > 0, reach, 1.0) / most


def round_rows(
    rows: Doubles, covariance: Doubles, *, most: int, neighbours: int | None = None
) -> NDArray[np.int8]:
    """Round weights so that sums of what they are multiplied with vary as before.

    Args:
        rows: weights in steps, float64 [output, tap].
        covariance: of the taps, float64 [tap, tap], or [output, tap, tap] where each output has its own.
        most: the largest magnitude, 127 at most.
        neighbours: of two taps in sequence, their magnitudes added, at most; None if it does not matter.

    Returns:
        int8 [output, tap]. A weight of 0 stays 0.
    """
    left, rounded = rows.copy(), np.zeros(rows.shape, np.int8)
    reach = _making_up(covariance)
    for tap in range(rows.shape[1]):
        bound = np.full(len(rows), most)
        if neighbours is not None and tap:
            bound = np.minimum(bound, neighbours - np.abs(rounded[:, tap - 1].astype(int)))
        bound[rows[:, tap] == 0] = 0
        rounded[:, tap] = np.clip(np.round(left[:, tap]), -bound, bound)
        error = (left[:, tap] - rounded[:, tap]) / reach[..., tap, tap]
        left[:, tap + 1 :] -= error[:, np.newaxis] * reach[..., tap, tap + 1 :]
    return rounded


def _making_up(covariance: Doubles) -> Doubles:
    """How later taps make up for one: the upper Cholesky factor of the inverse, of the shape given."""
    taps = covariance.shape[-1]
    variance = np.einsum("...ii->...i", covariance).mean(axis=-1)
    damped = covariance + (_DAMPING * variance + 1e-9)[..., np.newaxis, np.newaxis] * np.eye(taps)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).swapaxes(-1, -2))
