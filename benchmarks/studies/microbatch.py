"""Measures whether answering requests in groups would pay.

Eight clips are classified as the servers of this project do it, one at a time on each of two processors, and
as a batching server would do it: in groups of 2, 4 or 8 by both processors together. The time that a batching
server waits for a group to fill is not counted.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.harness.gifs import real_gifs
from benchmarks.harness.timing import Ratio, table, time_in_turns
from services.inference import Classifier, default_model_path
from services.preprocess import decode_gif

CLIPS = 8
PROCESSORS = 2
GROUPS = (2, 4, 8)
ONE_BY_ONE = "one by one"


@dataclass(frozen=True)
class Row:
    """One way to classify the clips."""

    way: str  # its name
    milliseconds: float  # for one clip, the median over the rounds
    ratio: Ratio  # time relative to one by one


def measure(model: Path, clips: NDArray[np.uint8], *, rounds: int) -> list[Row]:
    """Classify the clips, uint8 [8, 10, 224, 224, 3], in every way and in turns."""
    single, double = Classifier(model, threads=1), Classifier(model, threads=PROCESSORS)
    with ThreadPoolExecutor(PROCESSORS) as callers:

        def one_by_one() -> None:
            list(callers.map(lambda clip: single.run(clip[np.newaxis]), clips))

        def in_groups(groups: Sequence[NDArray[np.uint8]]) -> None:
            for group in groups:
                double.run(group)

        ways = {
            f"in groups of {n}": functools.partial(in_groups, np.split(clips, CLIPS // n)) for n in GROUPS
        }
        taken = time_in_turns([one_by_one, *ways.values()], rounds)
    return compare(dict(zip([ONE_BY_ONE, *ways], taken, strict=True)))


def compare(seconds: Mapping[str, Sequence[float]]) -> list[Row]:
    """Return a row for each way, from the seconds that it took for all clips in each round."""
    return [
        Row(way, 1000 * statistics.median(taken) / CLIPS, Ratio.of(taken, seconds[ONE_BY_ONE]))
        for way, taken in seconds.items()
    ]


def microbatch(
    model: Annotated[Path | None, typer.Option(metavar="PATH", help="An ONNX file.")] = None,
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="How often every way is measured.")] = 7,
) -> None:
    """Compare classifying clips one by one with classifying them in groups."""
    gifs = list(real_gifs(CLIPS).values())
    clips = [decode_gif(gifs[index % len(gifs)].read_bytes()).frames for index in range(CLIPS)]
    found = measure(model or default_model_path(), np.stack(clips), rounds=rounds)
    rows = [
        (row.way, f"{row.milliseconds:.1f}", f"{row.ratio.middle:.2f}", row.ratio.spread) for row in found
    ]
    typer.echo(table(("clips answered", "ms a clip", "ratio", "spread"), rows))
