"""Measures how long each step from GIF to clip takes, with each backend.

The table, which docs/clip.md holds, also says how long Pillow takes to seek, pad and convert each sampled
frame, how many times as fast a backend is, and how fast it would be if only decompressing and scaling were
left. Of the rounds the fastest counts: the question is where the work is, not how busy the machine was.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from benchmarks.bench import decoders
from benchmarks.harness.gifs import real_gifs
from benchmarks.harness.timing import in_turns, table, timed
from services.preprocess import Budget, decode_gif
from services.preprocess.backend import Backend, Picture, compiled, portable
from services.preprocess.crop import cut
from services.preprocess.formats import read
from services.preprocess.plan import plan, sample
from services.preprocess.render import render

P = ParamSpec("P")
T = TypeVar("T")
Times = Mapping[str, float]  # step -> time

STEPS = ("scan", "decompress", "draw", "shrink", "crop", "resize", "the rest")
METHODS = {  # of a backend -> the step that it is part of; those that cropping calls are timed by `crop`
    "decompress": "decompress",
    "paint": "draw",
    "blend": "draw",
    "on_black": "draw",
    "shrink": "shrink",
    "resize": "resize",
}
TWO_THREADS = "all, on two threads"
NAIVE = "Pillow: seek, pad, convert"
GAIN, LIMIT = "times as fast as that", "at most, were decompressing and scaling all"


class TimedBackend:
    """A backend that calls another one, and adds up how long each step takes.

    Attributes:
        backend: the other one.
        seconds: of each step since the last `reset`.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.reset()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.backend, name)
        return functools.partial(self.timed, METHODS[name], attribute) if name in METHODS else attribute

    def reset(self) -> None:
        """Set the seconds of every step to 0."""
        self.seconds = dict.fromkeys(STEPS, 0.0)

    def timed(self, step: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do some work and add its time to that of a step."""
        seconds, result = timed(work, *args, **kwargs)
        self.seconds[step] += seconds
        return result


def pictures(gif: bytes) -> list[Picture]:
    """Return the pictures that a clip is cropped from."""
    container = read(gif, Budget())
    steps = plan(container, sample([frame.delay_ms for frame in container.frames]).frames)
    backend = portable()
    return [backend.shrink(canvas).copy() for _, canvas in render(container, steps, backend)]


def measure(gif: bytes, uncut: list[Picture], watch: TimedBackend) -> Times:
    """Return the seconds of each step of one GIF, and of all on two threads; `the rest` is plan and digest.

    Args:
        gif: its bytes.
        uncut: its `pictures`. Cropping calls back what draws them, so it is timed apart.
        watch: does the work.
    """
    watch.reset()
    whole, _ = timed(decode_gif, gif, backend=watch)
    watch.timed("scan", read, gif, Budget())
    watch.timed("crop", lambda: list(cut(uncut, len(uncut), watch.backend)))
    watch.seconds["the rest"] = whole - sum(watch.seconds.values())
    two_threads, _ = timed(decode_gif, gif, backend=watch.backend, threads=2)
    return watch.seconds | {TWO_THREADS: two_threads}


def profile(paths: Sequence[Path], backends: Sequence[Backend], rounds: int) -> dict[str, Times]:
    """Return the milliseconds of each step, mean over the GIFs, and the gains over Pillow, by backend."""
    watches = [TimedBackend(backend) for backend in backends]
    naive = decoders.pillow().run
    rows: dict[str, list[Times]] = {watch.backend.name: [] for watch in watches}
    for path in paths:
        gif = path.read_bytes()
        uncut = pictures(gif)
        ways: list[Callable[[], Times]] = [
            lambda path=path: {NAIVE: timed(naive, str(path))[0]},  # type: ignore[misc]
            *(functools.partial(measure, gif, uncut, watch) for watch in watches),
        ]
        [pillow, *measured] = in_turns(ways, rounds)
        for watch, runs in zip(watches, measured, strict=True):
            fastest = min(runs, key=_sum)
            two_threads = min(run[TWO_THREADS] for run in runs)
            best = min(run[NAIVE] for run in pillow)
            rows[watch.backend.name].append({**fastest, TWO_THREADS: two_threads, NAIVE: best})
    return {name: _summary(found) for name, found in rows.items()}


def _summary(rows: Sequence[Times]) -> Times:
    """Means in milliseconds from the seconds of each GIF, and geometric means of the gains."""
    return {
        **{step: 1000 * statistics.fmean(row[step] for row in rows) for step in rows[0]},
        GAIN: statistics.geometric_mean(row[NAIVE] / _sum(row) for row in rows),
        LIMIT: statistics.geometric_mean(row[NAIVE] / (row["decompress"] + row["resize"]) for row in rows),
    }


def _sum(row: Times) -> float:
    return sum(row[step] for step in STEPS)


def steps_table(profiles: Mapping[str, Times]) -> str:
    """Return a table with a row for each step and a column for each backend."""
    columns = [{**times, "all": _sum(times)} for times in profiles.values()]
    rows = [
        *(
            [step, *(f"{times[step]:.2f}" for times in columns)]
            for step in (*STEPS, "all", TWO_THREADS, NAIVE)
        ),
        *([gain, *(f"{times[gain]:.2f} x" for times in columns)] for gain in (GAIN, LIMIT)),
    ]
    return table(["step", *(f"{name}, ms" for name in profiles)], rows)


def steps(
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Rounds; the fastest counts.")] = 5,
    count: Annotated[int, typer.Option("--gifs", min=1, metavar="N", help="How many real GIFs.")] = 24,
) -> None:
    """Print how long each step from GIF to clip takes, with each backend."""
    paths = list(real_gifs(count).values())
    typer.echo(steps_table(profile(paths, [portable(), compiled()], rounds)))
