"""What fine-tuning is fed: **features on disk, an epoch's plan** -> tf.data -> **batches**.

The plan is drawn before anything is read, so that a seed gives the same batches however many threads read
them and over however many devices they are spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.fit.features import Features
from training.network.head import Tap

Floats = NDArray[np.float32]
MAPS = "maps"


@dataclass(frozen=True, eq=False)
class Plan:
    """One epoch: which clips come in which order, under which view, and which of their frames.

    Attributes:
        clips: places of the clips, int [step * batch].
        views: numbers of the views, int [step * batch].
        frames: numbers of the frames, ascending, int [step * batch, frame].
        batch: clips in a step.
    """

    clips: NDArray[np.intp]
    views: NDArray[np.intp]
    frames: NDArray[np.intp]
    batch: int


def plan_epoch(
    views: Sequence[Features], train: NDArray[np.intp], *, batch: int, frames: int, seed: Sequence[int]
) -> Plan:
    """Draw an epoch.

    Only full batches: a batch of one or two would step as far as a full one.

    Args:
        views: what the frozen part says of all clips, under each view.
        train: places of the clips to learn from, at least `batch`.
        batch: clips in a step.
        frames: of each clip.
        seed: of everything drawn; another for each epoch.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(train)[: len(train) // batch * batch]
    chosen, shown = [], []
    for clip in order:
        number = int(rng.integers(len(views)))
        count = len(next(iter(views[number].taps.values()))[clip])
        chosen.append(number)
        shown.append(np.sort(rng.choice(count, frames, replace=count < frames)))
    return Plan(order, np.array(chosen, dtype=np.intp), np.array(shown, dtype=np.intp), batch)


def feed(
    plan: Plan, views: Sequence[Features], taps: Sequence[Tap], targets: Floats, weights: NDArray[np.float64]
) -> tf.data.Dataset:
    """Read an epoch.

    Args:
        plan: of the epoch.
        views: as of the plan.
        taps: those that are inputs beside the maps.
        targets: of all clips, float [clip, show].
        weights: of all clips.

    Returns:
        For each step: inputs by name, "maps" float32 [batch, frame, height, width, channel] and each tap
        float32 [batch, frame, n] under `input_name`; targets float32 [batch, show]; weights float32 [batch].
    """

    def read(step: np.int64) -> list[Floats]:
        clip, view, frames = plan.clips[step], views[int(plan.views[step])], plan.frames[step]
        maps = np.load(view.maps[clip], mmap_mode="r")[frames].astype(np.float32)
        return [maps, *(np.asarray(view.taps[tap][clip][frames], np.float32) for tap in taps)]

    first = read(np.int64(0))

    def load(step: Any, target: Any, weight: Any) -> Any:
        values = tf.numpy_function(read, [step], [tf.float32] * len(first), stateful=False)
        shaped = [tf.ensure_shape(value, known.shape) for value, known in zip(values, first, strict=True)]
        names = [MAPS, *map(input_name, taps)]
        return dict(zip(names, shaped, strict=True)), target, weight

    data = tf.data.Dataset.from_tensor_slices(
        (
            np.arange(len(plan.clips)),
            targets[plan.clips].astype(np.float32),
            weights[plan.clips].astype(np.float32),
        )
    )
    data = data.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    data = data.batch(plan.batch, drop_remainder=True)
    # Several hosts read the same plan, each its part of every batch: there are no files to share out.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options).prefetch(tf.data.AUTOTUNE)


def input_name(tap: Tap) -> str:
    """Name of a tap among the inputs; Keras allows no slash."""
    return f"{tap.block}_{tap.statistic}"
