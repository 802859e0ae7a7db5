"""Measures the throughput and the memory of `gif-analyzer batch` over many GIFs.

The GIFs are real ones, of shows if there is footage, each copy with another comment: every digest differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import EXAMPLES
from benchmarks.harness.gifs import shared_folder, with_comment

COMMAND = [sys.executable, "-c", "from gateway.cli import main; main()", "batch"]


def make_gifs(folder: Path, count: int) -> None:
    """Write the GIFs, all digests different, into folders of a thousand."""
    shows = sorted((shared_folder() / "shows").rglob("*.gif"))
    originals = [path.read_bytes() for path in shows or sorted(EXAMPLES.glob("*.gif"))]
    for index in range(count):
        place = folder / f"{index // 1000:04d}"
        place.mkdir(parents=True, exist_ok=True)
        gif = with_comment(originals[index % len(originals)], f"{index:08d}")
        (place / f"{index:08d}.gif").write_bytes(gif)


def run_batch(gifs: Path, out: Path, *, workers: int) -> dict[str, float]:
    """Run the command on as many processors as it has workers; return its time, memory and outcome."""
    count = sum(1 for _ in gifs.rglob("*.gif"))
    processors = sorted(os.sched_getaffinity(0))[:workers]
    begun = time.monotonic()
    process = subprocess.Popen(
        [*COMMAND, str(gifs), "--out", str(out), "--workers", str(workers), "--json"],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, processors),  # noqa: PLW1509 - no threads here
    )
    assert process.stdout is not None
    summary = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"batch ended with {process.returncode}")
    return {
        "gifs": count,
        "workers": workers,  # each on a processor of its own
        "seconds": round(seconds, 2),  # from start to end of the command
        "gifs_per_s": round(count / seconds, 2),
        "peak_mib": round(usage.ru_maxrss / 1024, 1),  # of the largest of the command and its workers
        "answered": summary["answered"],
        "failed": summary["failed"],
    }


def batch(
    gifs: Annotated[int, typer.Option(min=10, metavar="N", help="How many GIFs to make.")] = 20_000,
) -> None:
    """Measure batch runs over a tenth of the GIFs with one and two workers, and over all; print JSON."""
    with tempfile.TemporaryDirectory(prefix="gif-analyzer-batch-") as name:
        folder = Path(name)
        make_gifs(folder / "all", gifs)
        make_gifs(folder / "tenth", gifs // 10)
        runs = [
            run_batch(folder / part, folder / f"{part}-{workers}.parquet", workers=workers)
            for part, workers in (("tenth", 1), ("tenth", 2), ("all", 2))
        ]
    typer.echo(json.dumps(runs, indent=2))
