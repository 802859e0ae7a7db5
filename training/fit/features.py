"""Tap values of clips, computed by the frozen image network and kept on disk.

The values of each clip under a view are a file of their own, named by all that they depend on, so that the
work can be interrupted and resumed, and is done once for all fits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from services.files import replacing
from training.data.augment import AUGMENT_VERSION
from training.data.clips import Clips
from training.data.view import PLAIN, View
from training.network.backbone import Backbone
from training.network.head import Array, Tap
from training.network.model import tap_model, to_onnx

TapValues = dict[Tap, Array]
"""Values of some clips by tap, float32 [clip, frame, n]."""


class Extractor:
    """Runs the frozen image network once for each clip and view.

    Args:
        backbone: the image network.
        taps: the places in the network that values are taken from.
        cache_dir: where values are kept; made if missing.
        console: shows progress; None is silent.

    Raises:
        UnknownBackbone: the network has no such block.
    """

    def __init__(
        self, backbone: Backbone, taps: Sequence[Tap], cache_dir: Path, *, console: Console | None = None
    ) -> None:
        self._taps, self._cache_dir, self._console = tuple(taps), cache_dir, console
        self._model = tap_model(backbone, self._taps)
        self._run: Callable[[NDArray[np.uint8]], list[Array]] | None = None
        # "None" was the block at which the network was cut; it stays in the key for features on disk.
        self._key = _digest(self._model, [*map(str, self._taps), "None"])

    def extract(self, clips: Clips, view: View = PLAIN) -> TapValues:
        """Read the values of clips under a view; compute those that are not on disk yet."""
        drawn = AUGMENT_VERSION if view.draw else ""
        named = f"{str(view)[:-1]}, crop=0)"  # views could be cropped once; the key of features on disk stays
        key = hashlib.sha256(f"{self._key}{named}{drawn}".encode()).hexdigest()[:16]
        folder = self._cache_dir / f"features-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        # The clip's file is named by its GIF, and its folder by the version of the decoder.
        files = [folder / f"{file.stem}-{file.parent.name}.npz" for file in clips.files]
        todo: Any = [index for index, file in enumerate(files) if not file.exists()]
        if self._console and todo:
            todo = track(todo, f"features, {view.name}", console=self._console, transient=True)
        for index in todo:
            self._run = self._run or _runner(self._model)
            values = self._run(view.apply(clips.frames(index), clips.digests[index]))
            with replacing(files[index]) as partial:
                np.savez(partial, **dict[str, Any](zip(map(str, self._taps), values, strict=True)))
        loaded = [np.load(file) for file in files]
        return {tap: np.stack([values[str(tap)] for values in loaded]) for tap in self._taps}


def _runner(model: keras.Model) -> Callable[[NDArray[np.uint8]], list[Array]]:
    """Runs the model by Keras on a GPU, else by ONNX Runtime, which is several times faster on a CPU."""
    import tensorflow as tf  # noqa: PLC0415 - with Keras it is loaded already

    if tf.config.list_physical_devices("GPU"):
        return lambda frames: [
            np.asarray(value) for value in keras.tree.flatten(model.predict_on_batch(frames))
        ]
    import onnxruntime  # noqa: PLC0415

    proto = to_onnx(model)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    outputs = [output.name for output in session.get_outputs()]
    return lambda frames: list(session.run(outputs, {name: frames.astype(np.float32)}))


def _digest(model: keras.Model, names: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps(names).encode())
    for variable in model.weights:
        digest.update(np.asarray(variable).tobytes())
    return digest.hexdigest()
