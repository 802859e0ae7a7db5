"""The packaged model in Keras's forms: **its recipe** -> **model.keras, saved_model/, model.tflite**.

Same network, same head, same folding as `gif-train export`, computed in float32; weights are drawn, for the
footage that the real ones were learned from is not here, and no runtime is faster or slower for what its
weights are.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import ROOT

FORMS = {"keras": "model.keras", "savedmodel": "saved_model", "litert": "model.tflite"}
SHOWS = 22  # as many as the packaged model names


def build(folder: Path) -> None:
    """Write every form into a folder, which exists only when all are there."""
    import tensorflow as tf  # noqa: PLC0415 - the slowest of imports

    model = untrained()
    partial = folder.with_name(f".{folder.name}-partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model.save(partial / FORMS["keras"])
    model.export(str(partial / FORMS["savedmodel"]), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(partial / FORMS["savedmodel"]))
    (partial / FORMS["litert"]).write_bytes(converter.convert())
    partial.rename(folder)


def build_apart(folder: Path) -> None:
    """The same in a process that ends and takes TensorFlow with it.

    Raises:
        RuntimeError: it failed; says what it printed last.
    """
    command = [sys.executable, "-m", "benchmarks.models", str(folder)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"the Keras form was not built: {ended.stderr.strip()[-500:]}")


def untrained() -> Any:
    """The keras.Model of the packaged model's recipe, with drawn weights."""
    from services.clip import CLIP_FRAMES  # noqa: PLC0415
    from training.fit.recipes import CHOSEN, RECIPES  # noqa: PLC0415
    from training.network.backbone import fold_batch_norm, load_backbone  # noqa: PLC0415
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


def paths(folder: Path) -> Mapping[str, Path]:
    """Where the forms are, by the name of the runtime."""
    return {runtime: folder / name for runtime, name in FORMS.items()}


if __name__ == "__main__":
    build(Path(sys.argv[1]))
