"""The most confident mistakes as a picture: **predictions** -> three frames of each GIF -> PNG.

The picture shows footage. It belongs into the folder of a run, and is never committed or published.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.preprocess import decode_gif
from training.evaluation.predictions import Prediction, worst
from training.statistics.figure import QUIET, drawing

SHOWN = 12
COLUMNS = 3
FRAMES = (1, 5, 8)  # of the ten of a clip


def plot_mistakes(predictions: Sequence[Prediction], path: Path) -> None:
    """Draw the clips that were named wrongly and with most confidence; without mistakes it says so.

    Raises:
        GifError: a GIF cannot be read any more.
        ValueError: the path ends in neither .png nor .svg.
        OSError: a file cannot be read or written.
    """
    mistakes = worst(predictions, "wrong", SHOWN)
    rows = max(-(-len(mistakes) // COLUMNS), 1)
    with drawing(path, 4.4 * COLUMNS, 2.1 * rows + 0.4) as figure:
        figure.suptitle("The most confident mistakes", x=0.01, ha="left", fontweight="bold")
        if not mistakes:
            figure.text(0.5, 0.45, f"none among {len(predictions)} clips", ha="center", color=QUIET)
        for number, mistake in enumerate(mistakes):
            axes = figure.add_subplot(rows, COLUMNS, number + 1)
            axes.imshow(_strip(mistake.path))
            axes.set_axis_off()
            said = "" if mistake.known else ", called unknown"
            axes.set_title(
                f"{mistake.show}\ntaken for {mistake.named}, {mistake.confidence:.0%}{said}",
                loc="left",
                fontsize=9,
            )


def _strip(path: Path) -> NDArray[np.uint8]:
    """Some frames side by side, uint8 [224, 224 * frames, 3]."""
    frames = decode_gif(path.read_bytes()).frames
    return np.concatenate([frames[index] for index in FRAMES], axis=1)
