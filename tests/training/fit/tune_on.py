"""Fine-tune a small network on made-up features, on the devices asked for: tune_on.py DEVICES CPUS OUT.

A program of its own, for TensorFlow is told of its devices once, before anything else.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from training.fit.features import Features
from training.fit.hardware import Accelerator
from training.fit.options import Hardware, TuneOptions
from training.fit.tuner import Tuner
from training.network.backbone import load_backbone
from training.network.head import Part, Tap

CLIPS, SHOWS, TOP = 16, 4, Tap("top")


def main(devices: str, cpus: int, out: Path) -> None:
    """Train and write the weights to weights.npz in a folder."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * cpus)
    lines: list[str] = []
    accelerator = Accelerator.start(Hardware(devices, "mixed_float16"), say=lines.append)
    keras.utils.set_random_seed(0)
    backbone = load_backbone("MobileNetV3Small", weights=None)
    # The mask of dropout is each device's own: without it all devices together do what one does.
    options = TuneOptions(blocks=1, epochs=2, batch=8, learning_rate=1e-4, dropout=0.0)
    part = Part(TOP)
    tuner = Tuner(backbone, [part], outputs=SHOWS, options=options, seed=0, accelerator=accelerator)
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    maps = []
    for number in range(CLIPS):
        maps.append(out / f"{number}.npy")
        shape = backbone.output(tuner.cut).shape[1:]
        np.save(maps[-1], rng.normal(number % SHOWS, 1, (4, *shape)).astype(np.float16))
    view = Features({TOP: np.zeros((CLIPS, 4, 1), np.float32)}, tuple(maps))
    labels = np.arange(CLIPS) % SHOWS
    tuned = tuner.train(
        [view],
        np.eye(SHOWS, dtype=np.float32)[labels],
        np.ones(CLIPS),
        train=np.arange(CLIPS),
        held_out=np.arange(0),
        folder=out,
    )
    losses = [measured["loss"] for measured in tuned.history]
    named = {f"network{number}": value for number, value in enumerate(tuned.weights.values())}
    np.savez(
        out / "weights.npz",
        matrix=tuned.linear.matrix,
        loss=losses,
        replicas=accelerator.replicas,
        off="; ".join(lines),
        **named,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
