"""Libraries of known clips, made of GIFs as `gif-analyzer library add` makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from services.inference import Classifier
from services.inference.library import KnownClip, TeachingBase, project, update_library
from services.preprocess import decode_gif
from tests.support.models import familiar_model


def save_teaching_model(path: Path) -> Path:
    """Write a mean-colour model to which shows can be taught."""
    colours = np.eye(3, dtype=np.float32)
    base = TeachingBase.of(
        np.stack([project(colour) for colour in colours]), np.ones(3), temperature=0.1, others=1.0
    )
    onnx.save(familiar_model(metadata={"teaching": base.pack()}), path)
    return path


def add_gifs(library: Path, model: Path, gifs: Mapping[str, Sequence[Path]]) -> Path:
    """Add GIFs by show to a library, which is made if it is missing; clips have the names of their files."""
    classifier = Classifier(model)
    new = [
        classifier.describe_clip(decode_gif(gif.read_bytes()), show=show, name=gif.name)
        for show, paths in gifs.items()
        for gif in paths
    ]

    def change(before: list[KnownClip]) -> list[KnownClip]:
        return [*before, *new]

    update_library(library, classifier.model, change)
    return library
