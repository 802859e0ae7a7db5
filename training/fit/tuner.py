"""The top of the image network trained further, together with a linear head.

**feature maps at the cut, taps below it, targets** -> epochs -> **weights of the top blocks, a linear head**

The blocks below the cut are frozen, so what they say of each clip and view was computed once. A step draws
a view and a few frames of each clip. After each epoch all that the next one depends on is written to disk:
an interrupted run goes on as if nothing had been.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from rich.console import Console

from training.errors import InvalidRun, UnknownBackbone
from training.files import replacing
from training.fit.features import Features
from training.fit.feed import MAPS, feed, input_name, plan_epoch
from training.fit.hardware import Accelerator
from training.fit.options import TuneOptions
from training.network.backbone import Backbone
from training.network.head import Linear, Part, Tap
from training.network.model import tap_tensor

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Tuned:
    """What fine-tuning found.

    Attributes:
        linear: the head that goes with the weights.
        weights: of the trained blocks, by variable path.
        history: by epoch: "loss", and "held_out_loss" where some clips were held out, in nats.
    """

    linear: Linear
    weights: dict[str, Floats]
    history: tuple[dict[str, float], ...]


class Tuner:
    """The upper part of a network, ready to be trained from its first weights as often as wanted.

    Args:
        backbone: the image network; its top blocks change while `train` runs and are put back after it.
        parts: of a frame's vector, measured on the frozen network.
        outputs: how many logits.
        options: of the training.
        seed: of everything drawn.
        accelerator: what a training computes with.

    Raises:
        UnknownBackbone: the network has not so many blocks.
    """

    def __init__(
        self,
        backbone: Backbone,
        parts: Sequence[Part],
        *,
        outputs: int,
        options: TuneOptions,
        seed: int,
        accelerator: Accelerator,
    ) -> None:
        self._backbone, self._options, self._seed = backbone, options, seed
        self._accelerator = accelerator
        backbone.unfreeze_top(options.blocks)
        self.cut = cut_block(backbone, options.blocks)
        above = backbone.blocks[backbone.blocks.index(self.cut) + 1 :]
        self._parts = tuple(parts)
        taps = tuple(dict.fromkeys(part.tap for part in parts))
        self._upper_taps = tuple(tap for tap in taps if tap.block in above)
        self._lower_taps = tuple(tap for tap in taps if tap.block not in above)
        middle = backbone.output(self.cut)
        self._upper = keras.Model(
            middle, [tap_tensor(backbone.output(tap.block), tap) for tap in self._upper_taps]
        )
        self._first = [np.array(variable.numpy()) for variable in self._upper.trainable_variables]
        self._outputs = outputs

    def _build(self, upper: keras.Model) -> keras.Model:
        """The trained part in whole: maps and lower taps of some frames to logits."""
        ops, options = keras.ops, self._options
        shape = upper.inputs[0].shape[1:]
        maps = keras.Input((options.frames, *shape), name=MAPS)
        values = _listed(upper(ops.reshape(maps, (-1, *shape))))
        taps: dict[Tap, Any] = {
            tap: ops.cast(ops.reshape(value, (-1, options.frames, value.shape[-1])), "float32")
            for tap, value in zip(self._upper_taps, values, strict=True)
        }
        inputs = {MAPS: maps}
        for tap in self._lower_taps:
            width, name = tap.width(self._backbone.output(tap.block).shape[-1]), input_name(tap)
            inputs[name] = taps[tap] = keras.Input((options.frames, width), name=name)
        vector = ops.concatenate([part.apply(taps[part.tap], ops) for part in self._parts], axis=-1)
        pooled = keras.layers.Dropout(options.dropout, seed=self._seed)(ops.mean(vector, axis=1))
        # The head learns faster by being written smaller: AdamW's steps do not depend on the slope's size.
        linear = keras.layers.Dense(self._outputs, kernel_initializer="zeros", name="linear")
        return keras.Model(inputs, linear(pooled) * options.head_factor)

    def train(
        self,
        views: Sequence[Features],
        targets: Floats,
        weights: NDArray[np.float64],
        *,
        train: NDArray[np.intp],
        held_out: NDArray[np.intp],
        folder: Path,
        first: Linear | None = None,
        console: Console | None = None,
    ) -> Tuned:
        """Train on some clips, or go on where an earlier call was interrupted.

        Args:
            views: what the frozen part says of all clips, under each view; the first is the plain one.
            targets: of all clips, float [clip, output], rows that sum to 1.
            weights: of all clips, mean 1.
            train: places of the clips to learn from.
            held_out: places of clips to stop early on; none trains all epochs.
            folder: of this training alone, for what it needs to go on.
            first: the head to begin with; None begins at 0.
            console: shows progress; None is silent.

        Raises:
            InvalidRun: the folder holds another training.
        """
        options, batch = self._options, self._accelerator.batch(self._options.batch, len(train))
        model, trained, optimizer = self._start(len(train) // batch, first)
        step = self._step(model, optimizer)
        state = _State(
            folder,
            [*model.variables, *optimizer.variables],
            self._key(
                views, targets, weights, train, held_out, *((first.matrix, first.bias) if first else ())
            ),
        )
        history, kept = state.restore()
        smooth = targets * (1 - options.label_smoothing) + options.label_smoothing / targets.shape[1]
        for epoch in range(len(history), options.epochs):
            if options.patience and epoch - _best(history) > options.patience:
                break
            plan = plan_epoch(views, train, batch=batch, frames=options.frames, seed=(self._seed, epoch))
            data = feed(plan, views, self._lower_taps, smooth, weights)
            spread = self._accelerator.strategy.experimental_distribute_dataset(data)
            measured = {"loss": float(np.mean([float(step(*batch)) for batch in spread]))}
            if len(held_out):
                self._take(trained)
                measured["held_out_loss"] = self._loss(model, views[0], targets, held_out)
            history.append(measured)
            if console:
                console.log(f"epoch {epoch + 1} of {options.epochs}", measured)
            if _best(history) == epoch:
                values = [np.array(variable.numpy()) for variable in model.trainable_variables]
                averaged = epoch - (options.epochs - options.average)  # epochs in the average so far
                if averaged > 0:
                    values = [
                        mean + (new - mean) / (averaged + 1) for mean, new in zip(kept, values, strict=True)
                    ]
                kept = values
            state.keep(history, kept)
        for variable, value in zip(model.trainable_variables, kept, strict=True):
            variable.assign(value)
        self._take(trained)
        return Tuned(
            linear=self._linear(model),
            weights={v.path: np.array(v.numpy()) for v in self._upper.trainable_variables},
            history=tuple(history),
        )

    def upper_taps(self, features: Features, indices: Sequence[int] | NDArray[np.intp]) -> dict[Tap, Floats]:
        """Tap values of some clips by the network as it is now, float32 [clip, frame, n]."""
        taps = {tap: features.taps[tap][indices] for tap in self._lower_taps}
        found = [
            _listed(self._upper.predict_on_batch(np.load(features.maps[index]).astype(np.float32)))
            for index in indices
        ]
        for number, tap in enumerate(self._upper_taps):
            taps[tap] = np.stack([values[number] for values in found])
        return taps

    def put(self, weights: Mapping[str, Floats]) -> None:
        """Give the upper part trained weights; an empty mapping gives it the first ones back."""
        for variable, first in zip(self._upper.trainable_variables, self._first, strict=True):
            variable.assign(weights.get(variable.path, first))

    def _take(self, trained: keras.Model) -> None:
        """Give the upper part the weights of the copy that is trained."""
        for mine, theirs in zip(self._upper.trainable_variables, trained.trainable_variables, strict=True):
            mine.assign(theirs.numpy())

    def _start(
        self, steps_per_epoch: int, first: Linear | None
    ) -> tuple[keras.Model, keras.Model, keras.optimizers.Optimizer]:
        """The trained part in whole as it is before the first step, the copy of the upper part, optimizer."""
        options = self._options
        self.put({})
        steps = options.epochs * steps_per_epoch
        warmup = max(steps // 10, 1)
        with self._accelerator.scope():
            trained = self._accelerator.copy(self._upper)
            model = self._build(trained)
            if first is not None:
                factor = np.float32(1 / options.head_factor)
                model.get_layer("linear").set_weights([first.matrix * factor, first.bias * factor])
            rate = keras.optimizers.schedules.CosineDecay(
                0.0,
                decay_steps=max(steps - warmup, 1),
                warmup_target=options.learning_rate,
                warmup_steps=warmup,
            )
            optimizer = self._accelerator.scaled(
                keras.optimizers.AdamW(rate, weight_decay=options.weight_decay)
            )
            optimizer.build(model.trainable_variables)
        return model, trained, optimizer

    def _step(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Callable[..., Any]:
        """One step on a batch, which the devices share: inputs, targets, weights -> mean loss.

        Written out, for Keras's `fit` cannot be spread over several hosts in 3.15.
        """
        strategy = self._accelerator.strategy
        measure = keras.losses.CategoricalCrossentropy(from_logits=True)

        def of_one_device(inputs: Any, targets: Any, weights: Any) -> Any:
            with tf.GradientTape() as tape:
                logits = model(inputs, training=True)
                # Keras divides by the number of devices itself, so that their sum is the mean.
                loss = measure(targets, logits, sample_weight=weights)
                scaled = optimizer.scale_loss(loss)
            slopes = tape.gradient(scaled, model.trainable_variables)
            optimizer.apply_gradients(zip(slopes, model.trainable_variables, strict=True))
            return loss

        def of_all(*batch: Any) -> Any:
            return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(of_one_device, batch), axis=None)

        step: Callable[..., Any] = tf.function(of_all)
        return step

    def _loss(self, model: keras.Model, view: Features, targets: Floats, clips: NDArray[np.intp]) -> float:
        """Mean cross-entropy of some clips, in nats, on all their frames."""
        taps = self.upper_taps(view, clips)
        vectors = np.concatenate([part.apply(taps[part.tap]) for part in self._parts], axis=-1).mean(axis=1)
        logits = self._linear(model).apply(vectors)
        top = logits.max(axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
        return float((log_sum - (targets[clips] * logits).sum(axis=1)).mean())

    def _linear(self, model: keras.Model) -> Linear:
        matrix, bias = (np.asarray(v) * self._options.head_factor for v in model.get_layer("linear").weights)
        return Linear(matrix.astype(np.float32), bias.astype(np.float32))

    def _key(self, views: Sequence[Features], *arrays: NDArray[Any]) -> str:
        """All that the outcome depends on, in a word."""
        parts = [repr(part.tap) for part in self._parts]
        settings: list[Any] = [dataclasses.asdict(self._options), self._seed, parts]
        if self._accelerator.precision != "float32":
            settings.append(self._accelerator.precision)
        text = json.dumps(settings)
        digest = hashlib.sha256(text.encode())
        for view in views:
            digest.update("".join(f"{path.parent.name}/{path.name}" for path in view.maps).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def cut_block(backbone: Backbone, blocks: int) -> str:
    """The last block that stays frozen when this many are trained.

    Raises:
        UnknownBackbone: there are not so many blocks above the first.
    """
    if not 1 <= blocks < len(backbone.blocks):
        known = f"1 to {len(backbone.blocks) - 1} blocks"
        raise UnknownBackbone(f"{backbone.name}, {blocks} blocks to train", known=known)
    return backbone.blocks[-blocks - 1]


class _State:
    """What an interrupted training goes on from, in one file."""

    def __init__(self, folder: Path, variables: Sequence[keras.Variable], key: str) -> None:
        self._path, self._key, self._variables = folder / "training.npz", key, variables
        folder.mkdir(parents=True, exist_ok=True)

    def restore(self) -> tuple[list[dict[str, float]], list[Floats]]:
        """History and values to keep so far; both empty at the start."""
        if not self._path.exists():
            return [], []
        try:
            with np.load(self._path, allow_pickle=False) as file:
                text = json.loads(str(file["text"]))
                values = [file[f"variable{number}"] for number in range(len(self._variables))]
                best = [file[f"best{number}"] for number in range(text["best"])]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InvalidRun(str(self._path), f"it cannot be read: {error}") from error
        if text["key"] != self._key:
            raise InvalidRun(str(self._path), "it is of other data or settings; use another folder")
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
        return text["history"], best

    def keep(self, history: list[dict[str, float]], best: list[Floats]) -> None:
        text = {"key": self._key, "history": history, "best": len(best)}
        arrays: dict[str, Any] = {f"variable{n}": np.asarray(v) for n, v in enumerate(self._variables)}
        arrays |= {f"best{number}": value for number, value in enumerate(best)}
        with replacing(self._path) as partial, partial.open("wb") as file:
            np.savez(file, text=np.array(json.dumps(text)), **arrays)


def _best(history: Sequence[Mapping[str, float]]) -> int:
    """The epoch with the least loss on held-out clips; the last where none were held out."""
    losses = [measured.get("held_out_loss", -number) for number, measured in enumerate(history)]
    return int(np.argmin(losses)) if losses else 0


def _listed(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [answer]
