"""What the frozen image network says of clips: **clips, a view** -> **taps and feature maps on disk**.

Each clip's answer under a view is a file of its own, named by all it depends on, so that the work can be
interrupted, resumed and extended.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from training.data.augment import AUGMENT_VERSION
from training.data.clips import Clips
from training.data.view import PLAIN, View
from training.files import replacing
from training.network.backbone import Backbone
from training.network.head import Tap
from training.network.model import tap_tensor
from training.network.onnx import to_onnx


@dataclass(frozen=True, eq=False)
class Features:
    """What the network says of some clips under one view.

    Attributes:
        taps: float32 [clip, frame, n] by tap.
        maps: files of each clip's feature maps at the cut, float16 [frame, height, width, channel]; empty
            without a cut.
    """

    taps: dict[Tap, NDArray[np.float32]]
    maps: tuple[Path, ...]


class Extractor:
    """The frozen image network, asked once for each clip and view.

    Args:
        backbone: the image network.
        taps: where numbers are taken from it.
        cut: the block whose feature maps are kept as well; None keeps none.
        cache_dir: where answers are kept; made if missing.
        console: shows progress; None is silent.

    Raises:
        UnknownBackbone: the network has no such block.
    """

    def __init__(
        self,
        backbone: Backbone,
        taps: Sequence[Tap],
        cache_dir: Path,
        *,
        cut: str | None = None,
        console: Console | None = None,
    ) -> None:
        self._taps, self._cut, self._cache_dir, self._console = tuple(taps), cut, cache_dir, console
        outputs = [tap_tensor(backbone.output(tap.block), tap) for tap in self._taps]
        if cut is not None:
            outputs.append(backbone.output(cut))
        self._model = keras.Model(backbone.model.input, outputs)
        self._run: Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]] | None = None
        self._key = _digest(self._model, [*map(str, self._taps), str(cut)])

    def extract(self, clips: Clips, view: View = PLAIN) -> Features:
        """Ask for every clip that was not asked for yet."""
        drawn = AUGMENT_VERSION if view.draw else ""
        key = hashlib.sha256(f"{self._key}{view}{drawn}".encode()).hexdigest()[:16]
        folder = self._cache_dir / f"features-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        # The clip's file is named by its GIF, and its folder by the code that decoded it.
        stems = [f"{file.stem}-{file.parent.name}" for file in clips.files]
        todo = [i for i, stem in enumerate(stems) if not (folder / f"{stem}.npz").exists()]
        if self._console and todo:
            work = track(todo, f"features, {view.name}", console=self._console, transient=True)
        else:
            work = todo
        for index in work:
            self._ask(view.apply(clips.frames(index), clips.digests[index]), folder / stems[index])
        values = [np.load(folder / f"{stem}.npz") for stem in stems]
        return Features(
            taps={tap: np.stack([value[str(tap)] for value in values]) for tap in self._taps},
            maps=tuple(folder / f"{stem}.npy" for stem in stems) if self._cut else (),
        )

    def _ask(self, frames: NDArray[np.uint8], path: Path) -> None:
        if self._run is None:
            self._run = _runner(self._model)
        answers = self._run(frames)
        if self._cut:
            with replacing(path.with_suffix(".npy")) as partial:
                np.save(partial, answers[-1].astype(np.float16))
        # Last: where this file is, the other is.
        with replacing(path.with_suffix(".npz")) as partial:
            named = {str(tap): answer for tap, answer in zip(self._taps, answers, strict=False)}
            np.savez(partial, **dict[str, Any](named))


def _runner(model: keras.Model) -> Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]]:
    """The model by Keras where there is a GPU, else by ONNX Runtime, which is several times faster."""
    import tensorflow as tf  # noqa: PLC0415 - with Keras it is loaded already

    if tf.config.list_physical_devices("GPU"):
        return lambda frames: [np.asarray(answer) for answer in _listed(model.predict_on_batch(frames))]
    import onnxruntime  # noqa: PLC0415

    proto = to_onnx(model)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    outputs = [output.name for output in session.get_outputs()]
    return lambda frames: list(session.run(outputs, {name: frames.astype(np.float32)}))


def _listed(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [answer]


def _digest(model: keras.Model, names: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps(names).encode())
    for variable in model.weights:
        digest.update(np.asarray(variable).tobytes())
    return digest.hexdigest()
