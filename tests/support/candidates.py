"""The models of a registry: real ones that know three plain colours, and GIFs that they are judged on."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from PIL import Image

from tests.support.models import SHOWS, mean_colour_model

RED, GREEN, BLUE = SHOWS


def save_candidate(path: Path, *, version: str, shows: tuple[str, ...] = SHOWS) -> Path:
    """Write a model that knows the colours by these names; in another order it is wrong about them."""
    onnx.save(mean_colour_model(metadata={"version": version, "shows": json.dumps(shows)}), path)
    return path


def draw_evaluation(manifest: Path) -> Path:
    """Write a manifest of 36 GIFs of plain colours beside them, twelve for each show."""
    lines = ["path,show,group"]
    for place, show in enumerate(SHOWS):
        for number in range(12):
            colour = [2 * number, number, 3 * number]
            colour[place] = 255 - number
            name = f"{place}-{number}.gif"
            Image.new("RGB", (64, 48), tuple(colour)).save(manifest.with_name(name))
            lines.append(f"{name},{show},{name}")
    manifest.write_text("\n".join(lines) + "\n")
    return manifest
