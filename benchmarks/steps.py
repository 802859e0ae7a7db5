"""Where the time of GIF -> clip goes: **real GIFs** -> milliseconds of each step, **by each backend**.

Beside it stands what Pillow takes that seeks, pads and converts each sampled frame, how many times as fast a
backend is, and the most that it could be: were decompressing and scaling all that is left.

`python -m benchmarks.steps` prints the table that docs/clip.md holds. Backends take turns at every GIF, and
of each the fastest of its rounds counts: what is asked is where work lies, not how noisy a machine is.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import gifs
from benchmarks.peers import decoders
from services.preprocess import Budget, decode_gif
from services.preprocess.backend import (
    Backend,
    Canvas,
    Colour,
    Counts,
    Picture,
    Pictures,
    Span,
    compiled,
    portable,
)
from services.preprocess.container import Blend, Rect
from services.preprocess.crop import cut
from services.preprocess.formats import read
from services.preprocess.formats.gif import GifFrame
from services.preprocess.plan import plan, sample
from services.preprocess.render import render

_P = ParamSpec("_P")
_R = TypeVar("_R")

STEPS = ("scan", "decompress", "draw", "shrink", "crop", "resize", "the rest")
TWO_THREADS = "all, on two threads"
NAIVE = "Pillow: seek, pad, convert"
GAIN, LIMIT = "times as fast as that", "at most, were decompressing and scaling all"


class Stopwatch:
    """A backend that does what another does, and adds up how long each kind of work takes.

    Attributes:
        backend: the other.
        seconds: step -> seconds since the last `reset`.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.reset()

    @property
    def name(self) -> str:
        """The other's."""
        return self.backend.name

    @property
    def gains_by_threads(self) -> bool:
        """Whether the other's work gains by threads."""
        return self.backend.gains_by_threads

    def reset(self) -> None:
        """Begin again at 0."""
        self.seconds: dict[str, float] = dict.fromkeys(STEPS, 0.0)

    def timed(self, step: str, work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Do the work and add its time to a step's."""
        begun = time.perf_counter()
        made = work(*args, **kwargs)
        self.seconds[step] += time.perf_counter() - begun
        return made

    def decompress(self, gif: bytes, frame: GifFrame) -> NDArray[np.uint8]:
        """Decompress a frame, timed as `decompress`."""
        return self.timed("decompress", self.backend.decompress, gif, frame)

    def paint(self, canvas: Canvas, place: Rect, indices: NDArray[np.uint8], frame: GifFrame) -> None:
        """Paint a frame, timed as `draw`."""
        self.timed("draw", self.backend.paint, canvas, place, indices, frame)

    def blend(self, canvas: Canvas, place: Rect, pixels: Canvas, rule: Blend) -> None:
        """Blend pixels into a canvas, timed as `draw`."""
        self.timed("draw", self.backend.blend, canvas, place, pixels, rule)

    def on_black(self, canvas: Canvas) -> Canvas:
        """Lay a canvas on black, timed as `draw`."""
        return self.timed("draw", self.backend.on_black, canvas)

    def shrink(self, canvas: Canvas) -> Picture:
        """Make a picture of a canvas, timed as `shrink`."""
        return self.timed("shrink", self.backend.shrink, canvas)

    def middle_colour(self, pictures: Pictures, part: Rect) -> Colour:
        """Find the middle colour, untimed as all that cutting asks for."""
        return self.backend.middle_colour(pictures, part)

    def count_near(self, pictures: Pictures, part: Rect, span: Span, *, columns: bool) -> Counts:
        """Count pixels near a colour, untimed as all that cutting asks for."""
        return self.backend.count_near(pictures, part, span, columns=columns)

    def resize(self, picture: Picture, content: Rect, out: NDArray[np.uint8]) -> None:
        """Resize a picture, timed as `resize`."""
        self.timed("resize", self.backend.resize, picture, content, out)


def pictures(gif: bytes) -> list[Picture]:
    """What a clip is cut out of."""
    container = read(gif, Budget())
    steps = plan(container, sample([frame.delay_ms for frame in container.frames]).frames)
    backend = portable()
    return [backend.shrink(canvas).copy() for _, canvas in render(container, steps, backend)]


def measure(gif: bytes, uncut: list[Picture], watch: Stopwatch) -> Mapping[str, float]:
    """Seconds of each step of one GIF (`the rest` is planning and the digest), and of two threads.

    Args:
        gif: its bytes.
        uncut: its `pictures`: cutting calls back what draws them, so it is timed apart.
        watch: does the work.
    """
    watch.reset()
    begun = time.perf_counter()
    decode_gif(gif, backend=watch)
    whole = time.perf_counter() - begun
    watch.timed("scan", read, gif, Budget())
    watch.timed("crop", lambda: list(cut(uncut, len(uncut), watch.backend)))
    steps = {**watch.seconds, "the rest": whole - sum(watch.seconds.values())}
    begun = time.perf_counter()
    decode_gif(gif, backend=watch.backend, threads=2)
    return {**steps, TWO_THREADS: time.perf_counter() - begun}


def profile(paths: list[Path], backends: list[Backend], rounds: int) -> dict[str, dict[str, float]]:
    """Backend -> step -> milliseconds a GIF, mean over GIFs of the fastest round; gains by geometric mean."""
    watches = [Stopwatch(backend) for backend in backends]
    naive = decoders.pillow().run
    rows: dict[str, list[Mapping[str, float]]] = {watch.name: [] for watch in watches}
    for path in paths:
        gif = path.read_bytes()
        uncut = pictures(gif)
        taken: dict[str, list[Mapping[str, float]]] = {watch.name: [] for watch in watches}
        beside = []
        for _ in range(rounds):
            begun = time.perf_counter()
            naive(str(path))
            beside.append(time.perf_counter() - begun)
            for watch in watches:
                taken[watch.name].append(measure(gif, uncut, watch))
        for name, runs in taken.items():
            fastest = min(runs, key=lambda run: sum(run[step] for step in STEPS))
            two_threads = min(run[TWO_THREADS] for run in runs)
            rows[name].append({**fastest, TWO_THREADS: two_threads, NAIVE: min(beside)})
    return {name: _summary(found) for name, found in rows.items()}


def _summary(rows: list[Mapping[str, float]]) -> dict[str, float]:
    """What GIFs took in seconds -> their means in milliseconds, and by how much the naive way is beaten."""
    means = {step: 1000 * statistics.fmean(row[step] for row in rows) for step in rows[0]}
    return {
        **means,
        GAIN: statistics.geometric_mean(row[NAIVE] / sum(row[step] for step in STEPS) for row in rows),
        LIMIT: statistics.geometric_mean(row[NAIVE] / (row["decompress"] + row["resize"]) for row in rows),
    }


def table(profiles: Mapping[str, Mapping[str, float]]) -> str:
    """A row for each step, a column for each backend, Markdown."""
    lines = [f"| step | {' | '.join(f'{name}, ms' for name in profiles)} |", "|---|" + "---|" * len(profiles)]
    for step in (*STEPS, "all", TWO_THREADS, NAIVE):
        lines.append(f"| {step} | {' | '.join(f'{_time(row, step):.2f}' for row in profiles.values())} |")
    for gain in (GAIN, LIMIT):
        lines.append(f"| {gain} | {' | '.join(f'{row[gain]:.2f} x' for row in profiles.values())} |")
    return "\n".join(lines)


def _time(row: Mapping[str, float], step: str) -> float:
    return sum(row[each] for each in STEPS) if step == "all" else row[step]


def main(
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Of which the fastest counts.")] = 5,
    count: Annotated[int, typer.Option("--gifs", min=1, metavar="N", help="How many real GIFs.")] = 24,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Print where the time of GIF to clip goes, by each backend.

    **Example**

        python -m benchmarks.steps --rounds 9
    """
    paths = [Path(item.name) for item in gifs.real_items(count, gifs.shared_folder())]
    profiles = profile(paths, [portable(), compiled()], rounds)
    typer.echo(json.dumps(profiles) if as_json else table(profiles))


if __name__ == "__main__":
    typer.run(main)
