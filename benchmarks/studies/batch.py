"""Measures `gif-analyzer batch`, and checks that no row is lost when it is killed and started again.

The GIFs are real ones, of shows if there is footage, each copy with another comment, so that every digest
differs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import typer

from benchmarks import EXAMPLES
from benchmarks.harness.gifs import shared_folder, with_comment

COMMAND = [sys.executable, "-c", "from gateway.cli import main; main()", "batch"]


@dataclasses.dataclass(frozen=True)
class Run:
    """One complete run.

    Attributes:
        gifs: how many GIFs there were.
        workers: worker processes, each on a processor of its own.
        seconds: from start to end of the command.
        gifs_per_s: throughput.
        peak_mib: the largest memory of the command or of one of its workers.
        answered: rows with an answer.
        failed: rows with an error.
        kept: rows of an earlier run.
    """

    gifs: int
    workers: int
    seconds: float
    gifs_per_s: float
    peak_mib: float
    answered: int
    failed: int
    kept: int


@dataclasses.dataclass(frozen=True)
class Resumed:
    """A run that was killed (SIGKILL, all its processes) and started again.

    Attributes:
        in_parts: rows on the disk when it was killed.
        run: the second run; it must have kept `in_parts` rows.
        lost: sources without a row in the end.
        repeated: rows beyond one for each source, in the parts and in the output.
        different: sources with another answer than in a run that was not killed.
    """

    in_parts: int
    run: Run
    lost: int
    repeated: int
    different: int

    @property
    def wrong(self) -> bool:
        """Whether a row was lost, repeated, different or computed again."""
        return bool(self.lost or self.repeated or self.different or self.in_parts != self.run.kept)


def make_gifs(folder: Path, count: int) -> None:
    """Write the GIFs, all digests different, into folders of a thousand."""
    shows = shared_folder() / "shows"
    originals = [path.read_bytes() for path in sorted(shows.rglob("*.gif")) or sorted(EXAMPLES.glob("*.gif"))]
    for index in range(count):
        place = folder / f"{index // 1000:04d}"
        place.mkdir(parents=True, exist_ok=True)
        gif = with_comment(originals[index % len(originals)], f"{index:08d}")
        (place / f"{index:08d}.gif").write_bytes(gif)


def run_batch(gifs: Path, out: Path, *, workers: int) -> Run:
    """Run the command to its end, on as many processors as it has workers."""
    count = sum(1 for _ in gifs.rglob("*.gif"))
    begun = time.monotonic()
    process = _start(gifs, out, workers=workers)
    assert process.stdout is not None
    summary = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begun
    if process.returncode not in (0, 1):
        raise RuntimeError(f"batch ended with {process.returncode}")
    return Run(
        gifs=count,
        workers=workers,
        seconds=round(seconds, 2),
        gifs_per_s=round(count / seconds, 2),
        peak_mib=round(usage.ru_maxrss / 1024, 1),
        answered=summary["answered"],
        failed=summary["failed"],
        kept=summary["kept"],
    )


def kill_and_resume(gifs: Path, out: Path, whole: Path, *, after_s: float) -> Resumed:
    """Kill a run of two workers after so many seconds, when it has written parts, and run it again."""
    parts = out.with_name(f"{out.name}.parts")
    process = _start(gifs, out, workers=2)
    begun = time.monotonic()
    while time.monotonic() - begun < after_s or not list(parts.glob("part-*.parquet")):
        if process.poll() is not None:
            raise RuntimeError("it ended before it could be killed: use more GIFs")
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = [row for part in parts.glob("part-*.parquet") for row in _read(part)]
    run = run_batch(gifs, out, workers=2)
    expected, found = dict(_read(whole)), _read(out)
    answers = dict(found)
    return Resumed(
        in_parts=len(before),
        run=run,
        lost=len(expected.keys() - answers.keys()),
        repeated=len(found) - len(answers) + len(before) - len({source for source, _ in before}),
        different=sum(answers.get(source) != row for source, row in expected.items()),
    )


def _start(gifs: Path, out: Path, *, workers: int) -> subprocess.Popen[bytes]:
    processors = sorted(os.sched_getaffinity(0))[:workers]
    return subprocess.Popen(
        [*COMMAND, str(gifs), "--out", str(out), "--workers", str(workers), "--json"],
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: os.sched_setaffinity(0, processors),  # noqa: PLW1509 - no threads here
    )


def _read(path: Path) -> list[tuple[str, tuple[str, str]]]:
    """Each row as (source, (digest, show))."""
    table = pq.read_table(path, columns=["source", "sha256", "show"])
    columns = table.to_pydict().values()
    return [(source, (sha256, show)) for source, sha256, show in zip(*columns, strict=True)]


def batch(
    gifs: Annotated[int, typer.Option(min=100, metavar="N", help="How many GIFs to make.")] = 20_000,
) -> None:
    """Measure batch runs of one and two workers, and of one that is killed and resumed; print JSON.

    **Exit codes**: 0, or 1 when the resumed run lost, repeated or changed a row.
    """
    with tempfile.TemporaryDirectory(prefix="gif-analyzer-batch-") as name:
        folder = Path(name)
        whole, tenth = folder / "all", folder / "tenth"
        make_gifs(whole, gifs)
        make_gifs(tenth, gifs // 10)
        two_workers_tenth = run_batch(tenth, folder / "tenth.parquet", workers=2)
        one_worker = run_batch(tenth, folder / "one.parquet", workers=1)
        two_workers = run_batch(whole, folder / "all.parquet", workers=2)
        resumed = kill_and_resume(
            whole, folder / "killed.parquet", folder / "all.parquet", after_s=two_workers.seconds / 2
        )
    runs: dict[str, Run | Resumed] = {
        "one_worker": one_worker,
        "two_workers_tenth": two_workers_tenth,
        "two_workers": two_workers,
        "resumed": resumed,
    }
    typer.echo(json.dumps({name: dataclasses.asdict(run) for name, run in runs.items()}, indent=2))
    raise typer.Exit(int(resumed.wrong))
