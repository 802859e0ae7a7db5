"""`gif-analyzer batch` over many GIFs: `python -m benchmarks.batch --gifs 20000`.

The GIFs are real ones (of ../shared/shows, else the examples) under new names, each with a comment block of
its own, so that every digest differs. Measured are the throughput of one and of two workers, each held to as
many processors, the peak memory over a tenth of the GIFs and over all of them, and what becomes of a run that
is killed in the middle and started again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

EXAMPLES = Path(__file__).parents[1] / "examples"
SHARED = Path(os.environ.get("GIFS_SHARED", Path(__file__).parents[2] / "shared")) / "shows"
COMMAND = [sys.executable, "-c", "from gateway.cli import main; main()", "batch"]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run to its end.

    Attributes:
        gifs: that were asked about.
        workers: processes that computed, on as many processors.
        seconds: from start to end of the command, its start among them.
        gifs_per_s: throughput.
        peak_mib: the most memory that the command or one of its workers held, the largest of them.
        answered: rows with an answer.
        failed: rows with an error.
        kept: rows from before.
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
        run: the second run; what it kept must be `in_parts`.
        lost: sources without a row in the end.
        repeated: rows beyond one for each source, in the parts and in the output.
        different: sources whose answer is another than that of the run that was not killed.
    """

    in_parts: int
    run: Run
    lost: int
    repeated: int
    different: int


def make_gifs(folder: Path, count: int) -> None:
    """Write the GIFs, all digests different, into folders of a thousand."""
    originals = sorted(SHARED.rglob("*.gif")) or sorted(EXAMPLES.glob("*.gif"))
    for index in range(count):
        original = originals[index % len(originals)].read_bytes()
        if not original.endswith(b"\x3b"):  # the trailer may be missing: browsers do not mind, nor do we
            original += b"\x3b"
        place = folder / f"{index // 1000:04d}"
        place.mkdir(parents=True, exist_ok=True)
        comment = b"\x21\xfe\x08%08d\x00" % index
        (place / f"{index:08d}.gif").write_bytes(original[:-1] + comment + b"\x3b")


def run_batch(gifs: Path, out: Path, *, workers: int) -> Run:
    """Run the command to its end, held to as many processors as it has workers."""
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
    """Kill a run of two workers when parts are there and so many seconds have passed, and run it again."""
    parts = out.with_name(f"{out.name}.parts")
    process = _start(gifs, out, workers=2)
    begun = time.monotonic()
    while time.monotonic() - begun < after_s or not list(parts.glob("part-*.parquet")):
        if process.poll() is not None:
            raise RuntimeError("it ended before it could be killed: take more GIFs")
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
    """Source -> digest and show, of each row."""
    table = pq.read_table(path, columns=["source", "sha256", "show"])
    columns = table.to_pydict().values()
    return [(source, (sha256, show)) for source, sha256, show in zip(*columns, strict=True)]


def measure(count: int) -> dict[str, object]:
    """Do it once."""
    with tempfile.TemporaryDirectory(prefix="gif-analyzer-batch-") as name:
        folder = Path(name)
        make_gifs(folder / "all", count)
        make_gifs(folder / "tenth", count // 10)
        tenth = run_batch(folder / "tenth", folder / "tenth.parquet", workers=2)
        one = run_batch(folder / "tenth", folder / "one.parquet", workers=1)
        whole = run_batch(folder / "all", folder / "all.parquet", workers=2)
        resumed = kill_and_resume(
            folder / "all", folder / "killed.parquet", folder / "all.parquet", after_s=whole.seconds / 2
        )
    return {
        "one_worker": dataclasses.asdict(one),
        "two_workers_tenth": dataclasses.asdict(tenth),
        "two_workers": dataclasses.asdict(whole),
        "resumed": dataclasses.asdict(resumed),
    }


def main() -> None:
    """Print the report as JSON; exit 1 when a row was lost, repeated or different."""
    command = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    command.add_argument("--gifs", type=int, default=20_000, help="how many to make")
    report = measure(command.parse_args().gifs)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    resumed = report["resumed"]
    assert isinstance(resumed, dict)
    wrong = resumed["lost"] or resumed["repeated"] or resumed["different"]
    sys.exit(bool(wrong or resumed["in_parts"] != resumed["run"]["kept"]))


if __name__ == "__main__":
    main()
