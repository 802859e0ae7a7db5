"""Would it pay to answer requests in groups? `python -m benchmarks.microbatch`.

Eight clips are answered as servers here do it, one at a time on each of two processors, and as a batching
server would: in groups of 2, 4 or 8 by both processors together. The ways take turns; a ratio above 1 means
that groups take longer. The wait for a group to fill, which a batching server adds, is not counted.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.gifs import real_items, shared_folder
from benchmarks.turns import Way, take_turns
from services.inference import Classifier, default_model_path
from services.preprocess import decode_gif

CLIPS = 8
PROCESSORS = 2
GROUPS = (2, 4, 8)
ONE_BY_ONE = "one by one"


@dataclasses.dataclass(frozen=True)
class Row:
    """One way to answer.

    Attributes:
        way: its name.
        milliseconds: a clip, the median over the rounds.
        ratio: to one by one, the median over the rounds.
        low: the smallest ratio of a round.
        high: the largest.
    """

    way: str
    milliseconds: float
    ratio: float
    low: float
    high: float


def measure(model: Path, clips: NDArray[np.uint8], *, rounds: int) -> list[Row]:
    """Answer the clips, uint8 [8, 10, 224, 224, 3], in every way and in turns."""
    single, double = Classifier(model, threads=1), Classifier(model, threads=PROCESSORS)
    with ThreadPoolExecutor(PROCESSORS) as callers:
        ways: dict[str, Way] = {
            ONE_BY_ONE: lambda: list(callers.map(lambda clip: single.run(clip[np.newaxis]), clips))
        }
        for size in GROUPS:
            groups = np.split(clips, len(clips) // size)
            ways[f"in groups of {size}"] = lambda groups=groups: [double.run(group) for group in groups]  # type: ignore[misc]
        taken = take_turns(list(ways.values()), rounds)
    return rows(dict(zip(ways, taken, strict=True)), len(clips))


def rows(seconds: Mapping[str, Sequence[float]], clips: int) -> list[Row]:
    """What the seconds of each round say."""
    found = []
    for name, taken in seconds.items():
        ratios = [one / other for one, other in zip(taken, seconds[ONE_BY_ONE], strict=True)]
        found.append(
            Row(
                name,
                1000 * statistics.median(taken) / clips,
                statistics.median(ratios),
                min(ratios),
                max(ratios),
            )
        )
    return found


def table(found: Sequence[Row]) -> str:
    """Markdown."""
    lines = ["| clips answered | ms a clip | ratio | spread |", "|---|---|---|---|"]
    lines += [
        f"| {row.way} | {row.milliseconds:.1f} | {row.ratio:.2f} | {row.low:.2f}-{row.high:.2f} |"
        for row in found
    ]
    return "\n".join(lines)


def main(
    model: Annotated[Path | None, typer.Option(metavar="PATH", help="Instead of the packaged one.")] = None,
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="How often all ways take a turn.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Compare answering clips one by one with answering them in groups.

    **Example**

        python -m benchmarks.microbatch --rounds 15
    """
    items = real_items(CLIPS, shared_folder())
    clips = [decode_gif(Path(items[index % len(items)].name).read_bytes()).frames for index in range(CLIPS)]
    found = measure(model or default_model_path(), np.stack(clips), rounds=rounds)
    typer.echo(json.dumps([dataclasses.asdict(row) for row in found]) if as_json else table(found))


if __name__ == "__main__":
    typer.run(main)
