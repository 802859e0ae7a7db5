"""Builds the packaged model in Keras's formats: a Keras file, a SavedModel and a LiteRT file, in float32.

Network, head and folding of batch normalisation are those of `gif-train export`. The weights are random,
because the footage that the real ones were learned from is not published; the speed of a runtime does not
depend on them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT

KERAS, SAVED_MODEL, LITERT = "model.keras", "saved_model", "model.tflite"
SHOWS = 22  # as many as the packaged model names


def build(folder: Path) -> None:
    """Write every format into a folder, which exists only when all are written."""
    import tensorflow as tf  # noqa: PLC0415 - the slowest of imports

    model = untrained()
    partial = folder.with_name(f".{folder.name}-partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model.save(partial / KERAS)
    model.export(str(partial / SAVED_MODEL), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(partial / SAVED_MODEL))
    (partial / LITERT).write_bytes(converter.convert())
    partial.rename(folder)


def build_in_subprocess(folder: Path) -> None:
    """Do the same in a process of its own, so that this one never loads TensorFlow.

    Raises:
        RuntimeError: it failed; says what it printed last.
    """
    command = [sys.executable, "-m", "benchmarks.bench.models", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the Keras model was not built: {done.stderr.strip()[-500:]}")


def untrained() -> Any:
    """Return the keras.Model of the packaged model's recipe, with random weights."""
    from services.clip import CLIP_FRAMES  # noqa: PLC0415
    from training.fit.recipes import CHOSEN, RECIPES  # noqa: PLC0415
    from training.network.backbone import load_backbone  # noqa: PLC0415
    from training.network.batch_norm import fold_batch_norm  # noqa: PLC0415
    from training.network.head import Head, Linear, Part, Tap  # noqa: PLC0415
    from training.network.model import clip_model, tap_model  # noqa: PLC0415

    recipe = RECIPES[CHOSEN]
    network = fold_batch_norm(load_backbone(recipe.backbone, weights=None))
    taps = [Tap.parse(str(part.tap)) for part in recipe.parts]
    widths = [int(output.shape[-1]) for output in tap_model(network, taps).outputs]
    rng = np.random.default_rng(0)
    parts = tuple(
        Part(
            tap,
            shift=rng.normal(size=width).astype(np.float32) if options.standardise else None,
            scale=rng.uniform(0.5, 1.5, width).astype(np.float32) if options.standardise else None,
            unit=options.unit,
            weight=options.weight,
        )
        for options, tap, width in zip(recipe.parts, taps, widths, strict=True)
    )
    matrix = rng.normal(0, 0.01, (sum(widths), SHOWS + 1)).astype(np.float32)
    head = Head(parts, Linear(matrix, np.zeros(SHOWS + 1, np.float32)), others=True)
    return clip_model(network, head, frames=CLIP_FRAMES)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
